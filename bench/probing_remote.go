package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/internal/worker"
)

// probeJob is the name of workProbes.
const probeJob = "probe"

// probeRequest is one line to a process that probes.
type probeRequest struct {
	Op      string        `json:"op"` // start first, then any of the others
	Options *probeOptions `json:"options,omitempty"`
	Rest    bool          `json:"rest,omitempty"`
}

type probeReply struct {
	Waiting int     `json:"waiting,omitempty"`
	Hist    []byte  `json:"hist,omitempty"`
	Late    []byte  `json:"late,omitempty"`
	Found   *probed `json:"found,omitempty"`
}

// workProbes probes for the process at the other end.
func workProbes(in *json.Decoder, out *json.Encoder) error {
	var p *localProbing
	defer func() {
		if p != nil {
			p.close()
		}
	}()
	return worker.Serve(in, out, func(req *probeRequest) (rep probeReply, err error) {
		switch {
		case req.Op == "start" && p == nil && req.Options != nil:
			p, err = newLocalProbing(req.Options)
		case p == nil:
			err = errors.New("not started")
		default:
			err = rep.serve(p, req)
		}
		return rep, err
	})
}

func (r *probeReply) serve(p *localProbing, req *probeRequest) (err error) {
	switch req.Op {
	case "hold":
		return p.hold(req.Rest)
	case "waiting":
		r.Waiting, err = p.waiting()
	case "window":
		var h *hdrhistogram.Histogram
		if h, err = p.window(); err == nil {
			r.Hist, err = h.EncodeV2()
		}
	case "end":
		if r.Found, err = p.end(context.Background()); err == nil {
			r.Hist, err = r.Found.hist.EncodeV2()
		}
		if err == nil {
			r.Late, err = r.Found.late.EncodeV2()
		}
	default:
		return fmt.Errorf("no operation %q", req.Op)
	}
	return err
}

// remoteProbing is the near end of a process that probes.
type remoteProbing struct {
	*worker.Process
	stay func() bool // stops ctx from ending the process
}

// newRemoteProbing starts probing in a process of command. The process ends with ctx, so that one
// that no longer answers holds nothing up.
func newRemoteProbing(ctx context.Context, command []string, o *probeOptions) (probing, error) {
	p, err := worker.Start(command, probeJob)
	if err != nil {
		return nil, fmt.Errorf("bench: probes: %w", err)
	}
	w := remoteProbing{p, context.AfterFunc(ctx, p.Kill)}
	if _, err := w.ask(&probeRequest{Op: "start", Options: o}); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w remoteProbing) ask(req *probeRequest) (probeReply, error) {
	rep, err := worker.Ask[probeReply](w.Process, req)
	if err != nil {
		return probeReply{}, fmt.Errorf("bench: probes: %w", err)
	}
	return rep, nil
}

func (w remoteProbing) hold(rest bool) error {
	_, err := w.ask(&probeRequest{Op: "hold", Rest: rest})
	return err
}

func (w remoteProbing) waiting() (int, error) {
	rep, err := w.ask(&probeRequest{Op: "waiting"})
	if err != nil {
		return 0, err
	}
	return rep.Waiting, nil
}

func (w remoteProbing) window() (*hdrhistogram.Histogram, error) {
	rep, err := w.ask(&probeRequest{Op: "window"})
	if err != nil {
		return nil, err
	}
	return decodeHistogram(rep.Hist)
}

func (w remoteProbing) end(context.Context) (*probed, error) {
	rep, err := w.ask(&probeRequest{Op: "end"})
	if err != nil {
		return nil, err
	}
	if rep.Found == nil {
		return nil, errors.New("bench: probes: no result")
	}
	if rep.Found.hist, err = decodeHistogram(rep.Hist); err != nil {
		return nil, err
	}
	if rep.Found.late, err = decodeHistogram(rep.Late); err != nil {
		return nil, err
	}
	return rep.Found, nil
}

func (w remoteProbing) close() {
	w.stay()
	w.Close()
}

func decodeHistogram(b []byte) (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("bench: probes: %w", err)
	}
	return h, nil
}
