/** Loads the project's modules anew for each run of a test, and gives it the run's own `tap`. Packages are loaded once. */
const project = new URL('../../', import.meta.url).href;

export async function resolve(specifier, context, next) {
  const run = /\?run=(\d+)$/.exec(context.parentURL ?? '')?.[1];
  if (run === undefined) return next(specifier, context);
  if (specifier === 'tap') {
    return { url: `data:text/javascript,export default globalThis.runOfTest;//${run}`, shortCircuit: true };
  }
  const found = await next(specifier, context);
  return found.url.startsWith(project) && !found.url.includes('?')
    ? { ...found, url: `${found.url}?run=${run}` }
    : found;
}
