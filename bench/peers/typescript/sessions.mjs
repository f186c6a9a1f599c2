import { randomUUID } from 'node:crypto';

import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { isInitializeRequest } from '@modelcontextprotocol/server';

import { refuse } from './body.mjs';

// Sessions of revisions before 2026-07-28: each has a transport and a server, until the client deletes
// it or the process ends.
export class Sessions {
    #byId = new Map();
    #tools;
    #json;

    constructor(tools, json) {
        this.#tools = tools;
        this.#json = json;
    }

    async serve(req, res, body) {
        const id = req.headers['mcp-session-id'];
        if (id !== undefined) {
            const session = this.#byId.get(id);
            if (session) await session.transport.handleRequest(req, res, body);
            else refuse(res, 404, -32001, 'Session not found');
            return;
        }
        if (!isInitializeRequest(body)) {
            refuse(res, 400, -32000, 'Bad Request: Session ID required');
            return;
        }
        const server = this.#tools.newServer();
        const transport = new NodeStreamableHTTPServerTransport({
            sessionIdGenerator: () => randomUUID(),
            enableJsonResponse: this.#json,
            onsessioninitialized: id => {
                this.#byId.set(id, { transport, server });
            }
        });
        transport.onclose = () => this.#byId.delete(transport.sessionId);
        await server.connect(transport);
        await transport.handleRequest(req, res, body);
    }

    // toggle adds or removes the tool extra in every session; the SDK notifies each client.
    toggle() {
        for (const { server } of this.#byId.values()) this.#tools.toggleExtra(server);
    }

    async close() {
        await Promise.all([...this.#byId.values()].map(({ transport }) => transport.close()));
    }
}
