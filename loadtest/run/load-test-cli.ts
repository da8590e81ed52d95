// `npm run loadtest -- SCENARIO …`.
import { runTool, toolCommand } from '../command-line/command.ts';
import { describeLoadTest } from './load-test-command.ts';
import { runLoadTestCommand } from './load-test-run.ts';

const command = describeLoadTest(toolCommand('loadtest'), 'npm run loadtest --');
await runTool(command, (signal) => runLoadTestCommand(command.processedArgs[0], command.opts(), signal));
