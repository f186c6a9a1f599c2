package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An admin reads the server's own figures from its admin address.
type admin struct{ base string }

func (a admin) get(path string) (string, error) {
	c := http.Client{Timeout: patience}
	res, err := c.Get(a.base + path)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return string(text), err
}

// metrics returns the value of each metric, by its name with labels.
func (a admin) metrics() (map[string]float64, error) {
	text, err := a.get("/metrics")
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && name != "#" {
			values[name] = v
		}
	}
	return values, nil
}

// settle waits until no metric is above its value in most, for limit at most, and returns the
// metrics.
func (a admin) settle(limit time.Duration, most map[string]float64) (map[string]float64, error) {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		values, err := a.metrics()
		if err != nil {
			return nil, err
		}
		above := false
		for name, m := range most {
			v, ok := values[name]
			if !ok {
				return nil, fmt.Errorf("no metric %s", name)
			}
			above = above || v > m
		}
		if !above || time.Now().After(end) {
			return values, nil
		}
	}
}

// liveHeap returns the bytes of live objects after a collection: the lowest of several readings,
// because each reading creates garbage of its own.
func (a admin) liveHeap() (float64, error) {
	least := math.Inf(1)
	for range 7 {
		text, err := a.get("/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(text, "# HeapAlloc = ")
		value, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			return 0, fmt.Errorf("no HeapAlloc in the heap profile")
		}
		least = min(least, n)
	}
	return least, nil
}

// slope returns the growth of ys per step, by least squares.
func slope(ys []float64) float64 {
	n := float64(len(ys))
	if n < 2 {
		return 0
	}
	var sx, sy, sxx, sxy float64
	for i, y := range ys {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
