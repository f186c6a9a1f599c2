package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// checkTime is how long gateway check waits for servers that are slow to start: npx downloads.
const checkTime = 90 * time.Second

// runGatewayCheck connects to the servers and prints a table. It returns an error if one is not up.
func runGatewayCheck(cmd *cobra.Command, c *gatewayConfig, src *sources) error {
	if !cmd.Flags().Changed("log-level") {
		c.logLevel = "error" // the table says the rest
	}
	r, err := newGatewayRun(c, src, newLogger(&c.config, cmd.ErrOrStderr()), nil)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.drainTimeout)
		defer cancel()
		_ = r.end(ctx)
	}()
	ctx, cancel := context.WithTimeout(cmd.Context(), checkTime)
	defer cancel()
	_ = r.gw.Wait(ctx) // the table says who is not up
	list := r.statuses()
	if err := printStatuses(cmd.OutOrStdout(), list); err != nil {
		return err
	}
	var down []string
	for i := range list {
		if s := &list[i]; s.State != "up" && s.State != "asleep" {
			down = append(down, s.Name)
		}
	}
	if len(down) > 0 {
		return errors.New("not up: " + strings.Join(down, ", "))
	}
	return nil
}

// printStatuses prints a table of servers, and below it what needs more room.
func printStatuses(w io.Writer, list []upstreamStatus) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATE\tERA\tVERSION\tTOOLS\tPROMPTS\tRESOURCES\tLONG NAMES\tCOLLISIONS")
	orDash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for i := range list {
		s := &list[i]
		resources := strconv.Itoa(s.Resources)
		if s.Templates > 0 {
			resources += fmt.Sprintf("+%d", s.Templates)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%d\t%d\n", s.Name, s.State, orDash(s.Era), orDash(s.Version), s.Tools, s.Prompts, resources, len(s.LongNames), len(s.Collision))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	for i := range list {
		s := &list[i]
		if s.State != "up" && s.State != "asleep" {
			fmt.Fprintf(&b, "\n%s: %s\n", s.Name, orDash(s.LastError))
			if s.Stderr != "" {
				fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(s.Stderr, "\n", "\n  "))
			}
		}
		for _, name := range s.LongNames {
			fmt.Fprintf(&b, "\n%s: the name %s is too long for some clients\n", s.Name, name)
		}
		for _, c := range s.Collision {
			fmt.Fprintf(&b, "\n%s: %s\n", s.Name, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
