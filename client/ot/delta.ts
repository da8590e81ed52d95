// Quill's Delta, under the name by which the client's files know it.
export { Delta } from '../../kinds/rich-text/quill-delta.ts';
