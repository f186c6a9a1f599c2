import { setTimeout as sleep } from 'node:timers/promises';

import { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

// The schemas are made only once, because the SDK calls the factory for every request.
const schemas = {
    echo: z.object({ text: z.string().describe('what to say back') }),
    sleep: z.object({ milliseconds: z.number().int().min(0).max(60_000).describe('how long to sleep') }),
    large: z.object({
        bytes: z
            .number()
            .int()
            .min(0)
            .max(16 << 20)
            .describe('how long the text shall be')
    })
};

const text = s => ({ content: [{ type: 'text', text: s }] });

// Tools makes servers that all have the same tools.
export class Tools {
    onToggle = () => {};
    #there = false;
    #extras = new WeakMap(); // the tool extra of each server that has it

    newServer() {
        const server = new McpServer({ name: 'peer-typescript', version: '2.4.0' });
        server.registerTool('echo', { description: 'Says the text back.', inputSchema: schemas.echo }, async ({ text: said }) => text(said));
        server.registerTool('sleep', { description: 'Answers after a time.', inputSchema: schemas.sleep }, async ({ milliseconds }) => {
            await sleep(milliseconds);
            return text('slept');
        });
        server.registerTool('large', { description: 'Answers with a long text.', inputSchema: schemas.large }, async ({ bytes }) =>
            text('x'.repeat(bytes))
        );
        server.registerTool('toggle', { description: 'Adds the tool extra, or removes it.' }, async () => {
            this.#there = !this.#there;
            this.onToggle();
            return text(this.#there ? 'extra is there' : 'extra is gone');
        });
        if (this.#there) this.#add(server);
        return server;
    }

    // toggleExtra adds or removes the tool extra in server, so that it matches the others.
    toggleExtra(server) {
        const extra = this.#extras.get(server);
        if (this.#there && !extra) {
            this.#add(server);
        } else if (!this.#there && extra) {
            extra.remove();
            this.#extras.delete(server);
        }
    }

    #add(server) {
        const extra = server.registerTool('extra', { description: 'Exists until toggle is called again.' }, async () => text('I am extra.'));
        this.#extras.set(server, extra);
    }
}
