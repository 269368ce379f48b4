import { useEffect, useRef } from "preact/hooks";
import { countsVersion, isLost, latest, model, plant } from "./state/session";
import { route, to, type Route } from "./state/route";
import { lampName, rank } from "./words/names";
import { Header, LostBar } from "./ui/header";
import { Help, isHelpOpen } from "./ui/keys";
import { ApprovalsView } from "./views/approvals";
import { BoardView } from "./views/board";
import { SegmentView } from "./views/board/segment";
import { DevicesView } from "./views/devices";
import { DeviceView } from "./views/device";
import { HealthView } from "./views/health";
import { IncidentsView } from "./views/incidents";
import { IncidentView } from "./views/incidents/one";
import { ProfilesView } from "./views/profiles";
import { ProfileView } from "./views/profiles/one";

export function App() {
  const main = useRef<HTMLElement>(null);
  const at = placeOf(route.value);
  const isFirst = useRef(true);
  useTitle(route.value);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    scrollTo(0, 0);
    if (route.value.view !== "devices") main.current?.focus();
  }, [at]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        Skip to the content
      </a>
      <Header />
      <LostBar />
      <main ref={main} id="main" tabIndex={-1} class={isLost.value ? "stale" : ""}>
        <View route={route.value} />
      </main>
      <Announcer />
      <button type="button" class="ask no-print" aria-label="Keys" onClick={() => (isHelpOpen.value = true)}>
        ?
      </button>
      <Help />
    </>
  );
}

function View({ route: at }: { route: Route }) {
  switch (at.view) {
    case "board":
      return <BoardView />;
    case "segment":
      return <SegmentView key={at.id} id={at.id} />;
    case "devices":
      return <DevicesView query={at.query} />;
    case "device":
      return <DeviceView id={at.id} />;
    case "verdict":
      return <DeviceView verdictId={at.id} />;
    case "incidents":
      return <IncidentsView />;
    case "incident":
      return <IncidentView key={at.id} id={at.id} />;
    case "approvals":
      return <ApprovalsView />;
    case "profiles":
      return <ProfilesView />;
    case "profile":
      return <ProfileView key={at.id} id={at.id} against={at.query.get("against") ?? ""} />;
    case "health":
      return <HealthView />;
    case "nowhere":
      return (
        <div class="page">
          <h1>Nothing is here</h1>
          <p>
            The page has no view "{at.path}". <a href={to.board}>To the board</a>
          </p>
        </div>
      );
  }
}

/** Changes with every place but not with a search that is being typed. */
function placeOf(at: Route): string {
  return "id" in at ? `${at.view}/${at.id}` : at.view;
}

function useTitle(at: Route): void {
  void countsVersion.value;
  const critical = model.value?.counts.critical ?? 0;
  const place = "id" in at ? at.id : at.view;
  const site = plant.value?.site ?? "";
  useEffect(() => {
    const parts = [critical > 0 ? `${critical} CRITICAL` : "", place, site, "Andon"];
    document.title = parts.filter((part) => part !== "").join(" · ");
  }, [critical, place, site]);
}

/** Tells people who do not see the lamps of what became HIGH or worse. */
function Announcer() {
  const row = latest.value;
  const isNews = row !== null && rank(row.grade) >= 2 && (row.state === "raised" || row.state === "escalated");
  return (
    <p class="hidden" role="status">
      {isNews ? `${row.device_id}: ${lampName(row.grade.toLowerCase() as "high")}. ${row.sentence}` : ""}
    </p>
  );
}
