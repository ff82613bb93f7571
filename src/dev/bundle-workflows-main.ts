/** The last step of the build: `node dist/dev/bundle-workflows-main.js` */
import { join, dirname } from 'node:path';
import { workflowsPath } from '../workflow-code.ts';
import { bundleWorkflows } from './bundle-workflows.ts';

await bundleWorkflows(join(dirname(workflowsPath()), 'bundle.js'));
