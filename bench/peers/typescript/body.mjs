// The limit of the SDK's own reader.
const maxBody = 4 << 20;

// readBody returns the message that a request carries, or answers the request itself and returns undefined.
export async function readBody(req, res) {
    const parts = [];
    let size = 0;
    for await (const part of req) {
        size += part.length;
        if (size > maxBody) {
            res.writeHead(413, { Connection: 'close' }).end();
            return undefined;
        }
        parts.push(part);
    }
    try {
        return JSON.parse(Buffer.concat(parts).toString('utf8'));
    } catch {
        refuse(res, 400, -32700, 'Parse error');
        return undefined;
    }
}

// refuse answers with a JSON-RPC error.
export function refuse(res, status, code, message) {
    const body = JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null });
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
}
