// Package result is what a run of the benchmark suite found: the document that `mooring-bench run` writes, that compare and report read, and that thresholds judge. Its form is published as
// schema.json.
//
// Names of figures are stable and are part of the format: a threshold in somebody's CI says `close_wait_final>0`. They, the names of scenarios and curves, and the codes of findings are lower-case
// letters, digits and underscores. All other texts may hold anything: a server tells its name itself. Whoever shows them makes them [Plain] and escapes them.
package result
