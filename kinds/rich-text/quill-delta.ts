// Quill's Delta as a class, for every module resolver. The package is CommonJS: Node and TypeScript's
// `nodenext` have its default export one level further down than bundlers do.
import quillDelta from 'quill-delta';

type DefaultOf<Module> = Module extends { default: { default: infer Class extends Constructor } }
  ? Class
  : Module extends { default: infer Class extends Constructor }
    ? Class
    : never;
type Constructor = new (...parameters: never[]) => unknown;
type DeltaClass = DefaultOf<typeof import('quill-delta')>;

export const Delta: DeltaClass = 'default' in quillDelta ? quillDelta.default : quillDelta;
export type Delta = InstanceType<DeltaClass>;
