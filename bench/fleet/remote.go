package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/internal/worker"
)

// request is one line to a process that holds streams; each gets one line in reply.
type request struct {
	Op          string   `json:"op"` // start first, then any of the others
	Options     *Options `json:"options,omitempty"`
	FirstSource int      `json:"firstSource,omitempty"`
	N           int      `json:"n,omitempty"`
	PerSecond   float64  `json:"perSecond,omitempty"`
	Method      string   `json:"method,omitempty"`
	At          int64    `json:"at,omitempty"`
	How         ending   `json:"how,omitempty"`
}

type reply struct {
	State   State  `json:"state"`
	Usage   Usage  `json:"usage"`
	Watched []byte `json:"watched,omitempty"`
	Ended   []byte `json:"ended,omitempty"`
}

// Job is the name of Work for a process of package worker.
const Job = "fleet"

// Work holds streams for the process at the other end of in and out. It returns when in ends,
// because that process has then exited or needs no more.
func Work(in *json.Decoder, out *json.Encoder) error {
	var h *local
	defer func() {
		if h != nil {
			h.close()
		}
	}()
	return worker.Serve(in, out, func(req *request) (rep reply, err error) {
		switch {
		case req.Op == "start":
			h, err = startLocal(req)
		case h == nil:
			err = errors.New("not started")
		default:
			err = rep.serve(h, req)
		}
		return rep, err
	})
}

func startLocal(req *request) (*local, error) {
	descriptorLimit() // raises the limit
	if req.Options == nil || req.Options.Target == nil {
		return nil, errors.New("no target")
	}
	if err := req.Options.Target.Prepare(); err != nil {
		return nil, err
	}
	return newLocal(req.Options, req.FirstSource)
}

func (r *reply) serve(h *local, req *request) (err error) {
	switch req.Op {
	case "open":
		return h.open(context.Background(), req.N, req.PerSecond)
	case "state":
		r.State, err = h.state()
	case "mark":
		return h.mark(req.Method, req.At)
	case "arrivals":
		var w, e *hdrhistogram.Histogram
		if w, e, err = h.arrivals(); err == nil {
			r.Watched, err = w.EncodeV2()
		}
		if err == nil {
			r.Ended, err = e.EncodeV2()
		}
	case "pause":
		return h.pause(req.N)
	case "end":
		return h.end(req.How, req.At)
	case "usage":
		r.Usage, err = h.usage()
	default:
		return fmt.Errorf("no operation %q", req.Op)
	}
	return err
}

// remote is the near end of a process that holds streams.
type remote struct{ *worker.Process }

func startRemote(o *Options, firstSource int) (holder, error) {
	p, err := worker.Start(o.Worker, Job)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	w := remote{p}
	if _, err := w.ask(&request{Op: "start", Options: o, FirstSource: firstSource}); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w remote) ask(req *request) (reply, error) {
	rep, err := worker.Ask[reply](w.Process, req)
	if err != nil {
		return reply{}, fmt.Errorf("fleet: %w", err)
	}
	return rep, nil
}

func (w remote) open(ctx context.Context, n int, perSecond float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The worker replies when all are open or have failed, which may be much later.
	defer context.AfterFunc(ctx, w.Kill)()
	_, err := w.ask(&request{Op: "open", N: n, PerSecond: perSecond})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (w remote) state() (State, error) {
	rep, err := w.ask(&request{Op: "state"})
	if err != nil {
		return State{}, err
	}
	return rep.State, nil
}

func (w remote) mark(method string, at int64) error {
	_, err := w.ask(&request{Op: "mark", Method: method, At: at})
	return err
}

func (w remote) arrivals() (watched, ended *hdrhistogram.Histogram, err error) {
	rep, err := w.ask(&request{Op: "arrivals"})
	if err != nil {
		return nil, nil, err
	}
	if watched, err = hdrhistogram.Decode(rep.Watched); err != nil {
		return nil, nil, fmt.Errorf("fleet: worker: %w", err)
	}
	if ended, err = hdrhistogram.Decode(rep.Ended); err != nil {
		return nil, nil, fmt.Errorf("fleet: worker: %w", err)
	}
	return watched, ended, nil
}

func (w remote) pause(n int) error {
	_, err := w.ask(&request{Op: "pause", N: n})
	return err
}

func (w remote) end(how ending, at int64) error {
	_, err := w.ask(&request{Op: "end", How: how, At: at})
	return err
}

func (w remote) usage() (Usage, error) {
	rep, err := w.ask(&request{Op: "usage"})
	if err != nil {
		return Usage{}, err
	}
	return rep.Usage, nil
}

func (w remote) close() { w.Close() }
