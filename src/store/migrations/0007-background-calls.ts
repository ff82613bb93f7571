/** Which model calls the provider generates in the background: those whose worker died are gone on with. */
export const backgroundCalls = /* sql */ `
ALTER TABLE turnkeeper.model_calls ADD COLUMN background boolean NOT NULL DEFAULT false;
`;
