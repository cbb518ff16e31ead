/** Small faults that could be put into a source, one at a time: guards that always or never hold, bounds off by one, calls left out. Runs nothing. */
import ts from 'typescript';

export interface Mutant {
  /** Of the source, below the project. */
  readonly path: string;
  readonly line: number;
  /** The line's text, without the blanks around it. */
  readonly lineText: string;
  /** What is replaced: an expression, as offsets into the source. */
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
}

const negatedBound: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
]);

const comparisons: ReadonlySet<ts.SyntaxKind> = new Set([
  ...negatedBound.keys(),
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.InstanceOfKeyword,
  ts.SyntaxKind.InKeyword,
]);

const otherOperator: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.PlusToken, '-'],
  [ts.SyntaxKind.MinusToken, '+'],
  [ts.SyntaxKind.AsteriskToken, '/'],
  [ts.SyntaxKind.SlashToken, '*'],
  [ts.SyntaxKind.PercentToken, '*'],
  [ts.SyntaxKind.AmpersandToken, '|'],
  [ts.SyntaxKind.BarToken, '&'],
  [ts.SyntaxKind.CaretToken, '&'],
  [ts.SyntaxKind.LessThanLessThanToken, '>>'],
  [ts.SyntaxKind.GreaterThanGreaterThanToken, '<<'],
  [ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken, '<<'],
  [ts.SyntaxKind.PlusEqualsToken, '-='],
  [ts.SyntaxKind.MinusEqualsToken, '+='],
  [ts.SyntaxKind.AsteriskEqualsToken, '/='],
]);

const OTHER_METHOD: Readonly<Record<string, string>> = { min: 'max', max: 'min', some: 'every', every: 'some' };

/** Calls whose receiver could stand for their result. */
const LEFT_OUT = new Set(['filter', 'slice', 'subarray', 'trim', 'toLowerCase', 'toUpperCase', 'sort', 'reverse']);

/**
 * The mutants of a source, in the order of its text. Texts for people (a literal with a blank in it, arguments of a log) have none.
 * What another mutant covers is left out: `===` for `!==` dies wherever both `true` and `false` die in its place.
 */
export function findMutants(path: string, text: string): Mutant[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const lines = text.split('\n');
  const found: Mutant[] = [];

  const add = (node: ts.Node, after: string) => {
    const start = node.getStart(file);
    const before = squeeze(node.getText(file));
    if (before === squeeze(after) || breaksChain(node)) return;
    const line = file.getLineAndCharacterOfPosition(start).line;
    const lineText = (lines[line] ?? '').trim();
    found.push({ path, line: line + 1, lineText, start, end: node.getEnd(), before, after });
  };

  /** `outcomes`: the fixed values that are worth trying for it. */
  const condition = (node: ts.Expression, outcomes: readonly ('true' | 'false')[]): void => {
    if (ts.isParenthesizedExpression(node)) return condition(node.expression, outcomes);
    for (const outcome of outcomes) add(node, outcome);
    if (isLogical(node)) {
      // One operand decides only where the other is neutral; the other fixed value is that of the whole.
      const neutral = node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken ? 'true' : 'false';
      condition(node.left, [neutral]);
      condition(node.right, [neutral]);
    } else if (isNegation(node)) condition(node.operand, []);
    else operation(node);
  };

  /** Mutants of the node itself that hold whatever it stands in, and those of its parts. */
  const operation = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node)) {
      const operator = node.operatorToken.kind;
      const bound = negatedBound.get(operator);
      const other = isText(node.left) || isText(node.right) ? undefined : (bound ?? otherOperator.get(operator));
      if (other !== undefined) add(node, `(${operand(node.left)} ${other} ${operand(node.right)})`);
      if (isChoice(node)) for (const side of [node.left, node.right]) add(node, `(${side.getText(file)})`);
    } else if (ts.isNumericLiteral(node)) add(node, String(Number(node.text) + 1));
    else if (ts.isBigIntLiteral(node)) add(node, `${BigInt(node.text.slice(0, -1)) + 1n}n`);
    else if (node.kind === ts.SyntaxKind.TrueKeyword) add(node, 'false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) add(node, 'true');
    else if (ts.isStringLiteralLike(node)) {
      if (!node.text.includes(' ') && !isNamed(node)) add(node, "'mutated'");
    } else if (ts.isTemplateExpression(node) && !ts.isTaggedTemplateExpression(node.parent)) {
      const pieces = [node.head, ...node.templateSpans.map(({ literal }) => literal)];
      if (!pieces.some((piece) => piece.text.includes(' '))) add(node, "'mutated'");
    } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name, expression: receiver } = node.expression;
      const swapped = Object.hasOwn(OTHER_METHOD, name.text) ? OTHER_METHOD[name.text] : undefined;
      if (swapped !== undefined) {
        add(node, `${text.slice(node.getStart(file), name.getStart(file))}${swapped}${text.slice(name.end, node.end)}`);
      } else if (LEFT_OUT.has(name.text)) add(node, receiver.getText(file));
    }
    ts.forEachChild(node, visit);
  };

  const operand = (node: ts.Expression) =>
    ts.isBinaryExpression(node) ? `(${node.getText(file)})` : node.getText(file);

  const result = (node: ts.Expression) => {
    const inner = ts.isParenthesizedExpression(node) ? node.expression : node;
    if (ts.isObjectLiteralExpression(inner)) add(node, '({})');
    else if (ts.isArrayLiteralExpression(inner)) add(node, '[]');
    else if (isCarried(inner) && inner.getText(file) !== 'undefined') add(node, 'undefined');
  };

  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || isOutside(node, file)) return;
    if (ts.isExpressionStatement(node)) {
      if (isDeed(node.expression) && !isOutside(node.expression, file)) add(node.expression, 'void 0');
    } else if (ts.isReturnStatement(node) && node.expression !== undefined) result(node.expression);
    else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) result(node.body);

    if (ts.isIfStatement(node) || ts.isConditionalExpression(node)) {
      const [asked, ...rest] = ts.isIfStatement(node)
        ? [node.expression, node.thenStatement, ...(node.elseStatement ? [node.elseStatement] : [])]
        : [node.condition, node.whenTrue, node.whenFalse];
      condition(asked, ['true', 'false']);
      rest.forEach(visit);
    } else if (ts.isWhileStatement(node) || ts.isDoStatement(node)) {
      // A loop that never ends says nothing about the tests.
      if (node.expression.kind !== ts.SyntaxKind.TrueKeyword) condition(node.expression, ['false']);
      visit(node.statement);
    } else if (ts.isForStatement(node)) {
      if (node.initializer) visit(node.initializer);
      if (node.condition) condition(node.condition, ['false']);
      if (node.incrementor) visit(node.incrementor);
      visit(node.statement);
    } else if (ts.isExpression(node) && isBoolean(node)) condition(node, ['true', 'false']);
    else operation(node);
  };

  visit(file);
  return found.sort((a, b) => a.start - b.start || b.end - a.end || (a.after < b.after ? -1 : 1));
}

/** The source with the fault in it. */
export function applyMutant(text: string, { start, end, after }: Mutant): string {
  return text.slice(0, start) + after + text.slice(end);
}

/** Blanks and line ends of any number are one blank. */
export function squeeze(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

const isLogical = (node: ts.Node): node is ts.BinaryExpression =>
  ts.isBinaryExpression(node) &&
  (node.operatorToken.kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    node.operatorToken.kind === ts.SyntaxKind.BarBarToken);

const isNegation = (node: ts.Node): node is ts.PrefixUnaryExpression =>
  ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken;

const isBoolean = (node: ts.Expression): boolean =>
  (ts.isBinaryExpression(node) && comparisons.has(node.operatorToken.kind)) ||
  isNegation(node) ||
  (ts.isParenthesizedExpression(node) && isBoolean(node.expression)) ||
  (isLogical(node) && (isBoolean(node.left) || isBoolean(node.right)));

/** `a ?? b`, and `a || b` of values. */
const isChoice = (node: ts.BinaryExpression): boolean =>
  node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken ||
  (isLogical(node) && !isBoolean(node) && !ts.isIfStatement(node.parent));

const isText = (node: ts.Expression): boolean => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

/** A name that the language reads, or one side of a comparison, which is mutated as a whole. */
function isNamed(node: ts.StringLiteralLike): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAssignment(parent) && parent.name === node) ||
    ts.isTaggedTemplateExpression(parent) ||
    (ts.isBinaryExpression(parent) && comparisons.has(parent.operatorToken.kind)) ||
    (ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword)
  );
}

/** Worth emptying where it is returned; what else is returned has mutants of its own. */
const isCarried = (node: ts.Expression): boolean =>
  ts.isCallExpression(node) ||
  ts.isNewExpression(node) ||
  ts.isAwaitExpression(node) ||
  ts.isIdentifier(node) ||
  ts.isPropertyAccessExpression(node) ||
  ts.isElementAccessExpression(node);

function isDeed(node: ts.Expression): boolean {
  if (ts.isAwaitExpression(node) || ts.isVoidExpression(node)) return isDeed(node.expression);
  if (ts.isBinaryExpression(node)) return node.operatorToken.kind === ts.SyntaxKind.EqualsToken;
  if (ts.isCallExpression(node)) return node.expression.kind !== ts.SyntaxKind.SuperKeyword;
  return (
    ts.isDeleteExpression(node) ||
    ts.isYieldExpression(node) ||
    ts.isPostfixUnaryExpression(node) ||
    ts.isPrefixUnaryExpression(node)
  );
}

/** Imports, and what is said to people in logs. */
function isOutside(node: ts.Node, file: ts.SourceFile): boolean {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isInterfaceDeclaration(node)) return true;
  return ts.isCallExpression(node) && /(?:^|\.)log\??\.(?:debug|info|warn|error)$/.test(node.expression.getText(file));
}

/** In `a?.b.c` what stands before `.c` cannot be put into parentheses: the rest would no longer be skipped. */
const breaksChain = (node: ts.Node): boolean => ts.isOptionalChain(node) && ts.isOptionalChain(node.parent);
