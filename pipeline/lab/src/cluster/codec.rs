//! The operator on its way to the executors. Everything else of a plan is Ballista's to write.

use std::sync::Arc;

use ballista_core::serde::BallistaPhysicalExtensionCodec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::Work;
use super::operator::WorkExec;

/// What an operator of ours begins with. The last byte is the version of what follows.
const MARK: &[u8; 8] = b"ANDONwx\x01";

/// Level of compression: an inventory is text that repeats itself.
const LEVEL: i32 = 3;

/// Most bytes of an order.
const ORDER_BYTES_MAX: usize = 256 << 20;

/// Writes and reads [`WorkExec`].
#[derive(Debug)]
pub(super) struct Codec {
    others: BallistaPhysicalExtensionCodec,
    work: Arc<dyn Work>,
}

impl Codec {
    pub(super) fn new(work: Arc<dyn Work>) -> Self {
        Self {
            others: BallistaPhysicalExtensionCodec::default(),
            work,
        }
    }

    fn read(&self, bytes: &[u8], numbers: Arc<dyn ExecutionPlan>) -> Result<WorkExec> {
        let damaged = || DataFusionError::Execution("an order that came is damaged".to_owned());
        let (tasks, packed) = bytes.split_first_chunk().ok_or_else(damaged)?;
        // Nothing would be unpacked to an order that says nothing.
        if packed.is_empty() {
            return Err(damaged());
        }
        let tasks = u32::from_be_bytes(*tasks);
        let order = zstd::bulk::decompress(packed, ORDER_BYTES_MAX).map_err(|_| damaged())?;
        let order = String::from_utf8(order).map_err(|_| damaged())?;
        WorkExec::new(order.into(), tasks, numbers, self.work.clone())
    }
}

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match bytes.strip_prefix(MARK) {
            Some(bytes) => match inputs {
                [numbers] => Ok(Arc::new(self.read(bytes, numbers.clone())?)),
                _ => Err(DataFusionError::Execution(
                    "an order came without its tasks".to_owned(),
                )),
            },
            None if bytes.starts_with(&MARK[..7]) => Err(DataFusionError::Execution(
                "client, scheduler and executors are different versions of andon: run the same \
                 build everywhere"
                    .to_owned(),
            )),
            None => self.others.try_decode(bytes, inputs, context, converter),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(operator) = node.downcast_ref::<WorkExec>() else {
            return self.others.try_encode(node, bytes, converter);
        };
        if operator.order.len() > ORDER_BYTES_MAX {
            return Err(DataFusionError::Execution(format!(
                "the plant and its profiles are {} bytes, more than a cluster takes",
                operator.order.len()
            )));
        }
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&operator.tasks.to_be_bytes());
        bytes.extend(zstd::bulk::compress(operator.order.as_bytes(), LEVEL)?);
        Ok(())
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.others.try_decode_udf(name, bytes)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, bytes: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udf(node, bytes)
    }

    fn try_decode_udaf(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.others.try_decode_udaf(name, bytes)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, bytes: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udaf(node, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::no_work;
    use crate::cluster::operator::numbers;

    #[test]
    fn an_order_is_read_as_it_was_written_and_damage_is_told() {
        let codec = Codec::new(no_work());
        let order = "an order, an order, an order. ".repeat(100);
        let written = {
            let operator = WorkExec::new(order.as_str().into(), 7, numbers(7).unwrap(), no_work());
            let operator = operator.unwrap();
            let mut bytes = Vec::new();
            let converter = datafusion_proto::physical_plan::DefaultPhysicalProtoConverter {};
            codec
                .try_encode(Arc::new(operator), &mut bytes, &converter)
                .unwrap();
            bytes
        };
        assert!(written.len() < order.len() / 2);
        let read = |bytes: &[u8]| codec.read(bytes, numbers(7).unwrap());
        let whole = read(&written[MARK.len()..]).unwrap();
        assert_eq!((&*whole.order, whole.tasks), (order.as_str(), 7));
        for cut in MARK.len()..written.len() {
            assert!(read(&written[MARK.len()..cut]).is_err(), "cut at {cut}");
        }
    }
}
