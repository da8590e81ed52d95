// Quill's Delta as a class under Node's ESM rules: the package is CommonJS, so its default export is one level down.
import quillDelta from 'quill-delta';

export const Delta = quillDelta.default;
export type Delta = InstanceType<typeof quillDelta.default>;
