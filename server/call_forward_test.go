package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// playForwarded makes the tool "play" of a port one of an upstream: the tests that
// TestForwardedPlays names then run with forwarded calls in place of those of workers.
var playForwarded = os.Getenv("MOORING_TEST_FORWARD") != ""

// A playhouse is a Backend that follows the cues of a port, as its handler "play" does.
type playhouse struct{ r *port }

// A scene is one round of a call.
type scene struct {
	stop  chan struct{}
	once  sync.Once
	cause error
}

func (h *playhouse) Start(f *mcp.Forward) {
	var params struct{ Arguments playIn }
	_ = json.Unmarshal(f.Params(), &params)
	s := &scene{stop: make(chan struct{})}
	f.Data = s
	text := func(text string) { f.Result(fmt.Appendf(nil, `{"content":[{"type":"text","text":%q}]}`, text)) }
	if answers := f.InputResponses(); answers != nil {
		var all map[string]json.RawMessage
		_ = json.Unmarshal(answers, &all)
		var said []string
		for key, raw := range all {
			var a struct{ Action string }
			var refusal string
			if json.Unmarshal(raw, &refusal) == nil {
				text("the client did not answer: " + refusal)
				return
			}
			_ = json.Unmarshal(raw, &a)
			said = append(said, key+"="+a.Action)
		}
		slices.Sort(said)
		text(strings.Join(said, " "))
		return
	}
	go h.play(f, s, params.Arguments.Part, text)
}

func (h *playhouse) play(f *mcp.Forward, s *scene, part string, text func(string)) {
	cues, stop := h.r.cues[part], s.stop
	for {
		select {
		case cue := <-cues:
			var n int
			switch {
			case cue == "end":
				text("the end of " + part)
				return
			case cue == "deaf":
				stop = nil
			case strings.HasPrefix(cue, "ask "):
				_, _ = fmt.Sscanf(cue, "ask %d", &n)
				var asks []mcp.Ask
				for i := range n {
					asks = append(asks, mcp.Ask{Key: fmt.Sprint("q", i), Method: "elicitation/create",
						Params: fmt.Appendf(nil, `{"mode":"form","message":"question %d","requestedSchema":{"type":"object","properties":{}}}`, i)})
				}
				f.Ask(asks, []byte("parked"))
				return
			default:
				f.Message(fmt.Appendf(nil, `{"level":"info","data":%q}`, cue))
			}
		case <-stop:
			h.r.causes <- s.cause
			f.Error(&errorOfPlay)
			return
		}
	}
}

var errorOfPlay = *errInternal

func (h *playhouse) Cancel(f *mcp.Forward, cause error) {
	s := f.Data.(*scene)
	s.once.Do(func() {
		s.cause = cause
		close(s.stop)
	})
}

// putOn makes "play" a tool of an upstream.
func (r *port) putOn() {
	r.ms.RemoveTools("play")
	errs := r.ms.Replace("theatre", &mcp.Forwarded{Backend: &playhouse{r}, Tools: []mcp.ForwardedFeature{{Raw: []byte(
		`{"name":"play","inputSchema":{"type":"object"}}`)}}})
	if errs != nil {
		r.t.Fatal(errors.Join(errs...))
	}
}

// A forwarded call lives, ends and is resumed exactly as one that a worker runs: the tests of those
// pass with it.
func TestForwardedPlays(t *testing.T) {
	playForwarded = true
	defer func() { playForwarded = false }()
	for name, test := range map[string]func(*testing.T){
		"asks": TestAsks, "big answer": TestBigAnswer, "asks end": TestAsksEnd, "asked again": TestAskedAgainAfterAReconnect,
		"cannot ask": TestCannotAsk, "cancel": TestCancelFromAnotherConnection, "lifecycle": TestSessionLifecycle,
		"two eras": TestErasMixOnOneConnection, "log level": TestSessionLogLevel, "bounded": TestSessionsWithStateAreBounded,
		"abandoned": TestNothingIsHeldForAbandonedSessions, "resumes": TestCallStreamResumes, "replay": TestReplayIsNobodyElses,
		"takes over": TestResumeTakesOver, "overtakes": TestAnswerOvertakesTheMove, "resumed": TestResumedStreamsAreStreams,
		"replay options": TestReplayOptions, "heartbeat": TestHeartbeatBeginsAResumableStream,
		"outlives": TestCallsOutliveTheirConnection, "loose": TestLooseCallsAreBounded, "times out": TestDetachedCallTimesOut,
		"detached": TestDetachedCallForgetsItsPeer, "leaves": TestClientLeavesWhileItsMessageIsPrepared,
		"event ids": TestNoEventIDsAfterDelete, "batches": TestBatches, "batch stream": TestBatchStream,
		"retained": TestAbandonedSessionsRetainNothing, "session stream": TestSessionStreamHeartbeatAndDrain,
		"sse asks": TestSSEAsksItsClient, "sse closes": TestSSEStreamThatClosesEndsItsCalls,
		"sse disconnect": TestSSEDisconnectOfAPOSTIsNoCancellation, "sse cancel": TestSSECancellation,
		"sse times out": TestSSECallsTakeNoLongerThanTheyMay, "sse bounds": TestSSEBounds,
		"sse slow": TestSSEStreamOfWhoDoesNotReadIsClosed, "sse drain": TestSSEDrainLetsCallsFinish,
		"sse events": TestSSEEventsStayWhereTheyBelong,
	} {
		t.Run(name, test)
	}
}
