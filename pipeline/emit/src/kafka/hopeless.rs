//! Refusals that trying again does not mend: whoever meets one stops and says what does, instead of
//! asking for ever.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What mends it, if trying again does not.
pub(super) fn remedy(error: &KafkaError) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    Some(match error.rdkafka_error_code()? {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => {
            "raise max.message.bytes of that topic; `andon topics check` names those that take too \
             little"
        }
        Code::TopicAuthorizationFailed => {
            "allow our user to Read andon.observations.v1, and to Write and Describe the other \
             topics"
        }
        Code::GroupAuthorizationFailed => "allow our user to Read the consumer group",
        Code::TransactionalIdAuthorizationFailed => {
            "allow our user to Write and Describe transactional ids that begin with the group's name"
        }
        Code::ClusterAuthorizationFailed => "allow our user IdempotentWrite on the cluster",
        Code::InvalidTransactionTimeout => {
            "kafka.session must not be longer than 1.5 times the brokers' \
             transaction.max.timeout.ms"
        }
        Code::PolicyViolation | Code::InvalidRecord => {
            "the brokers have a rule that our records break; exempt our topics from it"
        }
        _ => return None,
    })
}

/// The error with what mends it.
pub(super) fn in_words(error: &KafkaError, reason: &str) -> Option<String> {
    remedy(error).map(|remedy| format!("{reason}: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        let error = |code| KafkaError::MessageProduction(code);
        for code in [
            RDKafkaErrorCode::MessageSizeTooLarge,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed,
            RDKafkaErrorCode::InvalidTransactionTimeout,
        ] {
            assert!(remedy(&error(code)).is_some(), "{code}");
        }
        for code in [
            RDKafkaErrorCode::NotEnoughReplicas,
            RDKafkaErrorCode::LeaderNotAvailable,
            RDKafkaErrorCode::CoordinatorLoadInProgress,
            RDKafkaErrorCode::MessageTimedOut,
            RDKafkaErrorCode::UnknownMemberId,
            RDKafkaErrorCode::ThrottlingQuotaExceeded,
            // A topic may be made again.
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ] {
            assert_eq!(remedy(&error(code)), None, "{code}");
        }
    }
}
