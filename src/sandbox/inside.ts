/** The whole environment of the code, the same in every back end. What libraries write by themselves goes beside the working folder. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/tmp',
  TMPDIR: '/tmp',
  PYTHONPATH: '/work',
  LANG: 'C.UTF-8',
  PYTHONUNBUFFERED: '1',
  MPLBACKEND: 'Agg',
  MPLCONFIGDIR: '/tmp/matplotlib',
  OPENBLAS_NUM_THREADS: '1',
};
