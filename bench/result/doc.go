// Package result is what a run of the benchmark suite found: the document that `mooring-bench run`
// writes, that compare and report read, and that thresholds judge. Its format is published as
// schema.json.
//
// Names of figures are stable and part of the format: a threshold in someone's CI says
// `close_wait_final>0`. Names of figures, scenarios and curves and the codes of findings consist of
// lower-case letters, digits and underscores. All other texts may contain anything: a server
// chooses its own name. Code that shows them must make them [Plain] and escape them.
package result
