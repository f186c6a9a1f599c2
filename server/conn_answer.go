package server

import (
	"errors"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// refuseFraming responds to a request that violates HTTP. The connection ends with this response,
// because it is unknown where the next request would begin.
func (c *conn) refuseFraming(now tick, err error) {
	var e *httpparse.Error
	if !errors.As(err, &e) {
		e = &httpparse.Error{Status: 400, Reason: "bad request"}
	}
	c.loop.m.refused.Add(1)
	c.flags |= flagClose | flagUnread
	c.reason = closeRefused
	h := c.respHead(e.Status)
	if e.Status == 405 {
		h.Allow = "POST"
	}
	c.loop.out = endpoint.AppendRefusal(c.loop.out, &h, e.Reason)
	c.finish(now)
}

// answer responds to a request that has arrived completely or is refused.
func (c *conn) answer(now tick) {
	x := c.x
	switch v := &x.verdict; v.Route {
	case endpoint.RouteMCP:
		c.message(now)
		return
	case endpoint.RouteStream:
		c.serveGET(now)
		return
	case endpoint.RouteDelete:
		c.deleteSession(now)
		return
	case endpoint.RouteSSE:
		c.openSSE(now)
		return
	case endpoint.RouteMessage:
		c.messageSSE(now)
		return
	case endpoint.RouteHealth:
		c.loop.m.http.Add(1)
		c.plain(200, "ok\n")
	case endpoint.RouteReady:
		c.loop.m.http.Add(1)
		if c.loop.srv.Ready() {
			c.plain(200, "ready\n")
		} else {
			c.plain(503, "draining\n")
		}
	case endpoint.RouteDocument:
		c.loop.m.http.Add(1)
		c.serveDocument()
	case endpoint.RouteOptions:
		c.loop.m.http.Add(1)
		h := c.respHead(204)
		c.loop.out = endpoint.AppendHead(c.loop.out, &h, "", 0)
	case endpoint.RoutePreflight:
		c.loop.m.http.Add(1)
		h := c.respHead(204)
		c.loop.out = endpoint.AppendPreflight(c.loop.out, &h)
	default:
		c.loop.m.refused.Add(1)
		h := c.respHead(v.Status)
		h.Allow = v.Allow
		start := len(c.loop.out)
		c.loop.out = endpoint.AppendRefusal(c.loop.out, &h, v.Reason)
		if c.loop.req.Method == httpparse.MethodHead {
			c.loop.out = headOnly(c.loop.out, start)
		}
	}
	c.finish(now)
}

func (c *conn) plain(status int, text string) {
	h := c.respHead(status)
	start := len(c.loop.out)
	c.loop.out = endpoint.AppendHead(c.loop.out, &h, endpoint.TypePlain, len(text))
	c.loop.out = append(c.loop.out, text...)
	if c.loop.req.Method == httpparse.MethodHead {
		c.loop.out = headOnly(c.loop.out, start)
	}
}

// refuse answers a request that is refused for its head alone.
func (c *conn) refuse(now tick, status int, reason string) {
	l := c.loop
	l.m.refused.Add(1)
	h := c.respHead(status)
	l.out = endpoint.AppendRefusal(l.out, &h, reason)
	c.finish(now)
}

// refuseMessage responds to a message that was refused before its method ran.
func (c *conn) refuseMessage(now tick, j *job, e *jsonrpc.Error) {
	c.loop.count(j.call.Method(), outcomeRefused)
	c.respondError(j.call.Status(e.Code), j.msg.ID, e)
	c.loop.putJob(j)
	c.finish(now)
}

// accepted responds to a notification with 202.
func (c *conn) accepted(now tick, j *job) {
	l := c.loop
	l.count(j.call.Method(), outcomeOK)
	c.respondAccepted()
	l.putJob(j)
	c.finish(now)
}

// respondAccepted responds to a POST that needs no result: "the server MUST return HTTP status code
// 202 Accepted with no body". A stream that has begun ends instead, without a message.
func (c *conn) respondAccepted() {
	if c.x.began {
		c.endEvents()
		return
	}
	h := c.respHead(202)
	c.loop.out = endpoint.AppendHead(c.loop.out, &h, "", 0)
}

// respondError appends the response for an error of this package or of Prepare to loop.out.
func (c *conn) respondError(status int, id []byte, e *jsonrpc.Error) {
	l := c.loop
	l.msg = jsonrpc.AppendError(l.msg[:0], id, e)
	c.respond(status, l.msg)
}

// respond appends the response of the exchange to loop.out: msg as JSON, or as the last event of
// the stream if one has begun or the client accepts only streams.
func (c *conn) respond(status int, msg []byte) {
	x, l := c.x, c.loop
	if !x.began && (x.verdict.JSON || status != 200) {
		h := c.respHead(status)
		l.out = endpoint.AppendHead(l.out, &h, endpoint.TypeJSON, len(msg))
		l.out = append(l.out, msg...)
		return
	}
	c.writeStreamHead()
	c.appendEvent(msg)
	c.endEvents()
}
