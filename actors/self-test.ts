// The name of the document that a node opens on itself before it reports ready. Its loads are in no metric.
export const SELF_TEST_DOCUMENT = 'troupe/self-test';
