// Command nethttp is a floor: what net/http, encoding/json and a goroutine for each event stream
// cost without an SDK on top. It implements as much of MCP as the measurements need, checks
// nothing, and keeps no sessions.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"

	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
)

func main() {
	o := serve.Flags()
	flag.Parse()
	h := newHub()
	mux := serve.Mux(&endpoint{hub: h})
	mux.HandleFunc("POST /change", func(w http.ResponseWriter, _ *http.Request) {
		h.toggle()
		w.WriteHeader(http.StatusNoContent)
	})
	srv := &http.Server{Handler: mux}
	// Shutdown does not end streams: its documentation leaves that to the caller
	srv.RegisterOnShutdown(h.end)
	if err := o.Run(srv, nil); err != nil {
		log.Fatal(err)
	}
}

// modern is the revision without sessions.
const modern = "2026-07-28"

// maxBody limits a request's content, as the SDKs do.
const maxBody = 4 << 20

// endpoint is the MCP endpoint.
type endpoint struct{ hub *hub }

// request holds the parts of a message that are read.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name            string `json:"name"`
		ProtocolVersion string `json:"protocolVersion"`
		Arguments       struct {
			Text         string `json:"text"`
			Milliseconds int    `json:"milliseconds"`
			Bytes        int    `json:"bytes"`
		} `json:"arguments"`
	} `json:"params"`
}

type response struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		e.hub.serve(w, r, nil)
	case http.MethodPost:
		e.post(w, r)
	case http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (e *endpoint) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	if len(req.ID) == 0 {
		w.WriteHeader(http.StatusAccepted) // a notification
		return
	}
	if req.Method == "subscriptions/listen" {
		e.hub.serve(w, r, req.ID)
		return
	}
	if req.Method == "initialize" {
		w.Header().Set("Mcp-Session-Id", newSession())
	}
	res := response{JSONRPC: "2.0", ID: req.ID}
	res.Result, res.Error = e.answer(r.Context(), &req, r.Header.Get("MCP-Protocol-Version") == modern)
	out, err := json.Marshal(&res)
	if err != nil {
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if res.Error != nil && res.Error.Code == codeNoMethod {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(out)
	if req.Params.Name == "toggle" && res.Error == nil {
		e.hub.toggle()
	}
}

// answer returns the result of a request, or its error.
func (e *endpoint) answer(ctx context.Context, req *request, isModern bool) (any, *rpcError) {
	switch req.Method {
	case "server/discover":
		return discovered(), nil
	case "initialize":
		return initialized(req.Params.ProtocolVersion), nil
	case "ping":
		return struct{}{}, nil
	case "tools/list":
		return toolsList(e.hub.extra(), isModern), nil
	case "tools/call":
		return call(ctx, req, isModern)
	}
	return nil, &rpcError{Code: codeNoMethod, Message: "method not found"}
}
