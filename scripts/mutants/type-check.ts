/** Whether the compiler would refuse a changed source: such a mutant is none, since nobody could have built it. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** Names that are no longer used. A fault that leaves one behind is a fault all the same. */
const UNUSED = new Set([6133, 6138, 6192, 6196, 6198]);

/** Returns whether `text` in place of the source at `path`, below `root`, has type errors. */
export function createTypeCheck(root: string): (path: string, text: string) => boolean {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(ts.flattenDiagnosticMessageText(messageText, '\n'));
    },
  });
  const changed = new Map<string, { text: string; version: number }>();
  const service = ts.createLanguageService({
    getCompilationSettings: () => config?.options ?? {},
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (options) =>
      join(dirname(ts.getDefaultLibFilePath(options)), ts.getDefaultLibFileName(options)),
    getScriptFileNames: () => [...changed.keys()],
    getScriptVersion: (file) => String(changed.get(file)?.version ?? 0),
    getScriptSnapshot(file) {
      const text = changed.get(file)?.text ?? ts.sys.readFile(file);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    fileExists: (file) => ts.sys.fileExists(file),
    readFile: (file) => ts.sys.readFile(file),
    directoryExists: (folder) => ts.sys.directoryExists(folder),
    getDirectories: (folder) => ts.sys.getDirectories(folder),
  });

  return (path, text) => {
    const file = join(root, path);
    changed.set(file, { text, version: (changed.get(file)?.version ?? 0) + 1 });
    const isRefused = service.getSemanticDiagnostics(file).some(({ code }) => !UNUSED.has(code));
    // The next may be of another file, which imports this one.
    changed.set(file, { text: readFileSync(file, 'utf8'), version: (changed.get(file)?.version ?? 0) + 1 });
    return isRefused;
  };
}
