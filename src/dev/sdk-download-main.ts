/**
 * Makes the SDK download the Temporal CLI, a process of its own: `sdk-download-main.js FOLDER`. Says on standard error
 * why nothing came.
 */
const [folder] = process.argv.slice(2);

async function download(downloadDir: string): Promise<void> {
  const { TestWorkflowEnvironment } = await import('@temporalio/testing');
  await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'cached-download', downloadDir },
      // The SDK downloads only to start a server; this one ends at once.
      extraArgs: ['--help'],
    },
  });
}

try {
  if (folder === undefined) throw new Error('no folder given');
  await download(folder);
} catch (error) {
  const { code, message } = error as { code?: string; message?: string };
  const missing = code === 'ERR_MODULE_NOT_FOUND';
  const reason = missing
    ? 'the package @temporalio/testing is not installed'
    : (message ?? String(error));
  process.stderr.write(`${reason.replaceAll('\n', ' ')}\n`, () => process.exit(1));
}
