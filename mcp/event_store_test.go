package mcp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// stored returns the events after index, or the error.
func stored(t *testing.T, s EventStore, session, stream string, index int) (string, error) {
	t.Helper()
	var all []string
	for e, err := range s.After(t.Context(), session, stream, index) {
		if err != nil {
			return "", err
		}
		all = append(all, string(e))
	}
	return strings.Join(all, " "), nil
}

func TestMemoryEventStore(t *testing.T) {
	s := NewMemoryEventStore(nil)
	ctx := t.Context()
	if _, err := stored(t, s, "a", "1", -1); err == nil {
		t.Error("an unknown stream: no error")
	}
	if err := s.Open(ctx, "a", "1"); err != nil {
		t.Fatal(err)
	}
	if got, err := stored(t, s, "a", "1", -1); got != "" || err != nil {
		t.Errorf("an open stream has %q, %v", got, err)
	}
	data := []byte("x0")
	for i := range 5 {
		data[1] = byte('0' + i)
		if err := s.Append(ctx, "a", "1", data); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(ctx, "b", "1", []byte("y")); err != nil {
			t.Fatal(err)
		}
	}
	for index, want := range map[int]string{-1: "x0 x1 x2 x3 x4", 2: "x3 x4", 4: "", 9: ""} {
		if got, err := stored(t, s, "a", "1", index); got != want || err != nil {
			t.Errorf("after %d: %q, %v, want %q", index, got, err, want)
		}
	}
	s.SetMaxBytes(9 + 6*eventOverhead) // the first two of each stream are gone
	if _, err := stored(t, s, "a", "1", 0); !errors.Is(err, ErrEventsPurged) {
		t.Errorf("events that are gone: %v", err)
	}
	if got, err := stored(t, s, "a", "1", 1); got != "x2 x3 x4" || err != nil {
		t.Errorf("after the last that is gone: %q, %v", got, err)
	}
	if err := s.SessionClosed(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := stored(t, s, "a", "1", 4); err == nil {
		t.Error("a closed session: no error")
	}
	if got, err := stored(t, s, "b", "1", 1); got != "y y y" || err != nil {
		t.Errorf("the other session: %q, %v", got, err)
	}
	s.SetMaxBytes(0)
	if got := s.MaxBytes(); got != defaultStoreBytes {
		t.Errorf("the default is %d", got)
	}
}

// TestMemoryEventStoreIsBounded checks the account after many events and sessions.
func TestMemoryEventStoreIsBounded(t *testing.T) {
	s := NewMemoryEventStore(nil)
	s.SetMaxBytes(5000)
	for i := range 10_000 {
		session := fmt.Sprint(i % 7)
		if err := s.Append(t.Context(), session, fmt.Sprint(i%3), make([]byte, i%50)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			_ = s.SessionClosed(t.Context(), session)
		}
		if s.size > 5000 {
			t.Fatalf("%d bytes", s.size)
		}
	}
	total, events := 0, 0
	for _, streams := range s.sessions {
		for _, st := range streams {
			for _, e := range st.events {
				total += len(e) + eventOverhead
				events++
			}
		}
	}
	if total != s.size || events != len(s.order) {
		t.Errorf("%d bytes and %d events are counted as %d and %d", total, events, s.size, len(s.order))
	}
}
