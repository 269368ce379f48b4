import { useEffect, useRef, useState } from "preact/hooks";
import { get, sentence } from "../../net/client";
import { useReading } from "../../state/reading";
import { countsVersion, plant } from "../../state/session";
import { to } from "../../state/route";
import type { Counts, Lamp, Profiles } from "../../wire";
import { lampName, spoken } from "../../words/names";
import { Sign } from "../../ui/lamp";

/** However fast lamps turn, counts are read again at most this often. */
const PAUSE_MS = 1_000;
const OPEN: readonly Lamp[] = ["critical", "high", "medium", "low"];

/** Another value when the plant is another, and now and then while lamps turn. */
export function useChanges(): unknown {
  const version = countsVersion.value;
  const [changes, setChanges] = useState({ plant: plant.value });
  const waiting = useRef<ReturnType<typeof setTimeout> | null>(null);
  const known = useRef(version);
  useEffect(() => {
    if (known.current === version) return;
    known.current = version;
    waiting.current ??= setTimeout(() => {
      waiting.current = null;
      setChanges({ plant: plant.peek() });
    }, PAUSE_MS);
  }, [version]);
  useEffect(() => () => clearTimeout(waiting.current ?? undefined), []);
  // A changed plant is read at once; what was said of the one before is wrong.
  return changes.plant === plant.value ? changes : plant.value;
}

/** What every device type is measured against. */
export function ProfilesView() {
  const { value, problem } = useReading("profiles", useChanges(), (signal) => get<Profiles>("v1/profiles", signal));
  return (
    <div class="page">
      <h1>Profiles</h1>
      <p class="quiet lead">What each type of device is measured against.</p>
      {problem !== null && (
        <p role="alert">
          {sentence(problem)}
          {value !== null && " What is shown is older."}
        </p>
      )}
      {value === null && problem === null && <div class="skeleton" aria-label="Reading" />}
      {value !== null && value.profiles.length === 0 && (
        <p class="quiet">No profile is in force: devices are held only to the rules that need none.</p>
      )}
      {value !== null && value.profiles.length > 0 && <Table profiles={value.profiles} />}
      {value !== null && value.without.length > 0 && <Without types={value.without} />}
    </div>
  );
}

function Table({ profiles }: { profiles: Profiles["profiles"] }) {
  return (
    <table class="profiles">
      <thead>
        <tr>
          <th scope="col">Device type</th>
          <th scope="col" class="number">
            Devices
          </th>
          <th scope="col">Open verdicts</th>
          <th scope="col">Version</th>
          <th scope="col">Hash</th>
          <th scope="col">Statistics</th>
        </tr>
      </thead>
      <tbody>
        {profiles.map((profile) => (
          <tr key={profile.device_type} data-profile={profile.device_type}>
            <td>
              <a href={to.profile(profile.device_type)} data-item>
                {spoken(profile.device_type)}
              </a>
              <small>{profile.description}</small>
            </td>
            <td class="number">{profile.devices.toLocaleString("en-US")}</td>
            <td>
              <Open counts={profile.counts} devices={profile.devices} type={profile.device_type} />
            </td>
            <td>{profile.version}</td>
            <td>
              <code title={profile.hash}>{profile.hash.slice(0, 12)}</code>
            </td>
            <td>{profile.calibrated ? "calibrated" : "as written"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Without({ types }: { types: Profiles["without"] }) {
  return (
    <section>
      <h2>Types without a profile</h2>
      <p class="quiet">Their devices are held only to the rules that need none.</p>
      <table class="profiles">
        <thead>
          <tr>
            <th scope="col">Device type</th>
            <th scope="col" class="number">
              Devices
            </th>
            <th scope="col">Open verdicts</th>
          </tr>
        </thead>
        <tbody>
          {types.map(({ device_type: type, devices, counts }) => (
            <tr key={type}>
              <td>{spoken(type)}</td>
              <td class="number">{devices.toLocaleString("en-US")}</td>
              <td>
                <Open counts={counts} devices={devices} type={type} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Open verdicts by grade, each a way to its devices. */
export function Open({ counts, devices, type }: { counts: Counts; devices: number; type: string }) {
  if (devices === 0) return <span class="quiet">no devices</span>;
  const open = OPEN.filter((lamp) => counts[lamp] > 0);
  if (open.length === 0) return <span class="quiet">none</span>;
  return (
    <span class="open-counts">
      {open.map((lamp) => (
        <a key={lamp} href={to.devices({ lamp, type })} class={`graded ${lamp}`}>
          <Sign lamp={lamp} />
          {counts[lamp].toLocaleString("en-US")} {lampName(lamp)}
        </a>
      ))}
    </span>
  );
}
