/** Which rows of a long list are in the document: those in sight, and those that were. */

/** The first row, and the first behind the last. */
export type Rows = readonly [number, number];

/** Lists of which only a part is in the document. */
const following = new Set<() => void>();

/** One listener for all of them: every list is measured before any is drawn, and the page laid out once. */
function lookAll(): void {
  for (const look of following) look();
}

/** Looks whenever the window shows something else; the returned function ends that. */
export function followWindow(look: () => void): () => void {
  if (following.size === 0) {
    addEventListener("scroll", lookAll, { passive: true });
    addEventListener("resize", lookAll);
  }
  following.add(look);
  return () => {
    following.delete(look);
    if (following.size > 0) return;
    removeEventListener("scroll", lookAll);
    removeEventListener("resize", lookAll);
  };
}

/**
 * The rows that are there, and those that have to be: to scroll back makes nothing anew. Of more
 * than there is room for, those that lie behind go first. What is apart from what is there stands
 * alone: what lies between was never in sight.
 */
export function widened(there: Rows, must: Rows, room: number): Rows {
  if (must[0] > there[1] || must[1] < there[0]) return must;
  let [first, last] = [Math.min(there[0], must[0]), Math.max(there[1], must[1])];
  const above = must[0] - first;
  const below = last - must[1];
  const surplus = Math.max(0, Math.min(last - first - room, above + below));
  const isDown = must[1] > there[1];
  const fromAbove = isDown ? Math.min(surplus, above) : Math.max(0, surplus - below);
  first += fromAbove;
  last -= surplus - fromAbove;
  return first === there[0] && last === there[1] ? there : [first, last];
}
