import { get, Problem, sentence } from "../../net/client";
import { useReading } from "../../state/reading";
import { to } from "../../state/route";
import type { Profile, ProfileCommands, ProfilePeer } from "../../wire";
import { digits } from "../../words/facts";
import { lampOf, pattern, plural, spoken } from "../../words/names";
import { amountText, commandLines, commandPeers, expectations, shareText, whomText, withoutPeers } from "../../words/profile";
import { Graded } from "../../ui/lamp";
import { Open, useChanges } from "./index";
import { Source } from "./source";

/** What one device type is measured against; `against` is the hash of what a verdict was measured against. */
export function ProfileView({ id, against }: { id: string; against: string }) {
  const { value, problem } = useReading(`profile ${id}`, useChanges(), (signal) =>
    get<Profile>(`v1/profiles/${encodeURIComponent(id)}`, signal),
  );
  if (problem instanceof Problem && problem.status === 404) return <None id={id} />;
  if (value === null) {
    return (
      <div class="page" aria-busy={problem === null}>
        <h1>{spoken(id)}</h1>
        {problem === null ? <div class="skeleton" aria-label="Reading" /> : <p role="alert">{sentence(problem)}</p>}
      </div>
    );
  }
  return (
    <article class="page profile">
      {problem !== null && <p role="alert">{sentence(problem)} What is shown is older.</p>}
      <Title profile={value} />
      {against !== "" && against !== value.hash && (
        <p class="notice">
          The verdict was measured against another version, <code title={against}>{against.slice(0, 12)}</code>. What
          is shown here is in force now.
        </p>
      )}
      <Numbers profile={value} />
      <Peers profile={value} />
      <Commands profile={value} />
      <Firmware profile={value} />
      <Evidence profile={value} />
      <Source profile={value} />
    </article>
  );
}

function None({ id }: { id: string }) {
  return (
    <div class="page">
      <h1>{spoken(id)}</h1>
      <p class="headline">No profile of this name is in force.</p>
      <p>
        <a href={to.devices({ type: id })}>Devices of this type</a>, if there are any, are held only to the rules that
        need none. <a href={to.profiles}>All profiles</a>
      </p>
    </div>
  );
}

function Title({ profile }: { profile: Profile }) {
  const isOwnGrade = profile.detectors.every(({ detector }) => detector !== "unknown_destination");
  return (
    <header class="title">
      <h1>{spoken(profile.device_type)}</h1>
      <p class="lead">
        {profile.description}
        {profile.controller && isOwnGrade && (
          <>
            {profile.description !== "" && ". "}A controller: to talk to anybody outside the profile is{" "}
            <Graded lamp="critical" />
          </>
        )}
      </p>
      <dl class="facts">
        <div>
          <dt>Devices</dt>
          <dd>
            <a href={to.devices({ type: profile.device_type })}>{profile.devices.toLocaleString("en-US")}</a>
          </dd>
        </div>
        <div>
          <dt>Open verdicts</dt>
          <dd>
            <Open counts={profile.counts} devices={profile.devices} type={profile.device_type} />
          </dd>
        </div>
        <div>
          <dt>Name in the inventory</dt>
          <dd>
            <code>{profile.device_type}</code>
          </dd>
        </div>
        <div>
          <dt>Version</dt>
          <dd>{profile.version}</dd>
        </div>
        <div>
          <dt>Hash</dt>
          <dd>
            <code title={profile.hash}>{profile.hash.slice(0, 12)}</code>
          </dd>
        </div>
        {profile.extends.length > 0 && (
          <div>
            <dt>Extends</dt>
            <dd>
              {profile.extends.map((name, index) => (
                <span key={name}>
                  {index > 0 && ", "}
                  <a href={to.profile(name)}>{spoken(name)}</a>
                </span>
              ))}
            </dd>
          </div>
        )}
      </dl>
    </header>
  );
}

/** Amounts and times: what is normal, and what is found when it is not so. */
function Numbers({ profile }: { profile: Profile }) {
  const { written, unwritten, coverage } = expectations(profile);
  return (
    <section>
      <h2>Numbers and times</h2>
      <dl class="sheet" aria-label="What is normal, and what is found">
        {written.map(({ name, normal, found }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{normal}</dd>
            {found !== "" && <dd class="quiet">{found}</dd>}
          </div>
        ))}
      </dl>
      {coverage !== "" && <p class="quiet after-sheet">{coverage}</p>}
      {unwritten.length > 0 && <p class="quiet after-sheet">Nothing is written about: {unwritten.join(", ")}.</p>}
    </section>
  );
}

function Peers({ profile }: { profile: Profile }) {
  const hasShares = profile.protocols.some(({ share }) => share !== null);
  const none = withoutPeers(profile);
  return (
    <>
      <section>
        <h2>Whom it talks to</h2>
        <PeerTable peers={profile.destinations} none={none.destinations} />
      </section>
      <section>
        <h2>Who may connect to it, besides these</h2>
        <PeerTable peers={profile.clients} none={none.clients} />
      </section>
      <section>
        <h2>In which protocols</h2>
        <table>
          <thead>
            <tr>
              <th scope="col">Protocol</th>
              <th scope="col">Found at</th>
              {hasShares && (
                <th scope="col" class="number">
                  Share
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {profile.protocols.map(({ name, share, ports }) => (
              <tr key={name}>
                <td>{name}</td>
                <td>{ports.length === 0 ? "what a sensor calls so" : ports.join(", ")}</td>
                {hasShares && <td class="number">{shareText(share)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function PeerTable({ peers, none }: { peers: readonly ProfilePeer[]; none: string }) {
  if (peers.length === 0) return <p class="quiet">{none}</p>;
  const hasShares = peers.some(({ share }) => share !== null);
  return (
    <table class="peers">
      <thead>
        <tr>
          <th scope="col">Whom</th>
          <th scope="col">Over</th>
          {hasShares && (
            <th scope="col" class="number">
              Share
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {peers.map((peer) => (
          <tr key={`${peer.kind} ${peer.name}`}>
            <td>
              {whomText(peer)}
              {peer.safety && <small>safety flow: stays open, whatever is cut</small>}
            </td>
            <td>{peer.over.length === 0 ? "its protocols" : peer.over.join(", ")}</td>
            {hasShares && <td class="number">{shareText(peer.share)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Commands({ profile }: { profile: Profile }) {
  const { sends, accepts } = profile;
  return (
    <section>
      <h2>Commands</h2>
      {sends === null && accepts === null ? (
        <p class="quiet">Nothing is written: no command is found to be wrong.</p>
      ) : (
        <dl class="sheet">
          <Side name="It may be told" by="by" rules={accepts} />
          <Side name="It may tell others" by="to" rules={sends} />
        </dl>
      )}
    </section>
  );
}

function Side({ name, by, rules }: { name: string; by: string; rules: readonly ProfileCommands[] | null }) {
  return (
    <div>
      <dt>{name}</dt>
      {rules === null && <dd class="quiet">nothing is written: anything</dd>}
      {rules?.length === 0 && <dd>nothing</dd>}
      {rules !== null && rules.length > 0 && (
        <dd class="wide">
          {rules.map((rule, index) => (
            <div key={index}>
              <p>
                {by} {commandPeers(rule)}
              </p>
              <ul class="flows">
                {commandLines(rule).map(({ protocol, commands }) => (
                  <li key={protocol}>
                    <b>{protocol}</b> {commands}
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </dd>
      )}
    </div>
  );
}

function Firmware({ profile }: { profile: Profile }) {
  return (
    <section>
      <h2>Firmware that is known to be good</h2>
      {profile.firmware.length === 0 ? (
        <p class="quiet">None is written: only a failed TPM quote is found.</p>
      ) : (
        <table class="firmware">
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Released</th>
              <th scope="col">SHA-256 of the image</th>
            </tr>
          </thead>
          <tbody>
            {profile.firmware.map(({ version, released, sha256 }) => (
              <tr key={version}>
                <td>{version}</td>
                <td>{released}</td>
                <td>
                  {sha256.length === 0
                    ? "any"
                    : sha256.map((digest) => (
                        <code key={digest} title={digest} class="digest">
                          {digest.slice(0, 12)}…
                        </code>
                      ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** How far statistics are believed, and what the plant says of single detectors. */
function Evidence({ profile }: { profile: Profile }) {
  const { calibration, learned, detectors } = profile;
  return (
    <section>
      <h2>How it is judged</h2>
      <p>
        {calibration === null ? (
          <>
            Not calibrated: what follows from evidence alone stays at LOW until <code>andon tune</code> has measured
            clean traffic. Rules are graded as they are.
          </>
        ) : (
          `Calibrated on ${plural(calibration.device_hours, "clean device-hour")}: at most ${amountText(calibration.false_positives, "%")} of device-hours raise a false alarm, with a confidence of ${amountText(calibration.confidence, "%")}.`
        )}
      </p>
      {detectors.length === 0 ? (
        <p class="quiet">Every detector is on, with its own grade.</p>
      ) : (
        <dl class="sheet">
          {detectors.map(({ detector, off, grade }) => (
            <div key={detector}>
              <dt>{pattern(detector)}</dt>
              <dd>{off ? "switched off" : grade === null ? "on" : <Graded lamp={lampOf(grade)} />}</dd>
            </div>
          ))}
        </dl>
      )}
      {learned.length > 0 && <Levels learned={learned} />}
    </section>
  );
}

function Levels({ learned }: { learned: Profile["learned"] }) {
  const units: Record<string, (middle: number) => string> = {
    traffic_volume: (middle) => `${amountText(Number(middle.toPrecision(3)), "bytes")} per hour`,
    connection_rate: (middle) => `${digits(middle)} connections per hour`,
    upload_ratio: (middle) => `${digits(middle)} bytes sent for each received`,
  };
  const times = (deviation: number) => `× ${digits(Math.exp(deviation))}`;
  return (
    <table>
      <caption>Learned levels</caption>
      <thead>
        <tr>
          <th scope="col">Of</th>
          <th scope="col">Middle of the type</th>
          <th scope="col">Devices differ by</th>
          <th scope="col">Hours of one by</th>
          <th scope="col" class="number">
            Clean windows
          </th>
        </tr>
      </thead>
      <tbody>
        {learned.map(({ detector, middle, levels, within, by_hour, windows }) => (
          <tr key={detector}>
            <td>{pattern(detector)}</td>
            <td>
              {units[detector]?.(middle) ?? digits(middle)}
              {by_hour && <small>by hour of the week</small>}
            </td>
            <td>{times(levels)}</td>
            <td>{times(within)}</td>
            <td class="number">{windows.toLocaleString("en-US")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
