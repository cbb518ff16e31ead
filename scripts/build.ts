/** `vello build`: the build itself happened before this could be loaded. `--package` adds what only a package holds. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { CommandError, type Command } from './command.ts';
import { projectRoot } from './project-root.ts';

export const command: Command = {
  usage: 'build [flags]',
  doc: 'Installs packages and builds the sources into build/, as every command does first.',
  flags: {
    package: {
      type: 'boolean',
      doc: 'Also what `npm pack` takes: native code for every platform, types of the desktop SDK.',
    },
  },
  operands: 0,
  async run(invocation) {
    if (!invocation.has('package')) return 0;
    execFileSync(process.execPath, [join(projectRoot, 'scripts', 'build-assets.mjs'), '--every-platform']);
    declareTypes(join(projectRoot, 'transports', 'client', 'desktop-client.ts'), join(projectRoot, 'build', 'types'));
    return 0;
  },
};

/** Writes the declarations of `entry` and of all it imports below `folder`. @throws CommandError with what the compiler said */
function declareTypes(entry: string, folder: string): void {
  const { config } = ts.readConfigFile(join(projectRoot, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      ...{ declaration: true, emitDeclarationOnly: true, outDir: folder },
      ...{ incremental: false, tsBuildInfoFile: null },
    },
    projectRoot,
  );
  rmSync(folder, { recursive: true, force: true });
  const program = ts.createProgram([entry], options);
  const { diagnostics } = program.emit();
  if (diagnostics.length === 0) return;
  const host = { getCanonicalFileName: String, getCurrentDirectory: () => projectRoot, getNewLine: () => '\n' };
  throw new CommandError(`The types of the SDK cannot be declared:\n${ts.formatDiagnostics(diagnostics, host)}`);
}
