// Package port checks that programs written for the official Go SDK run on Mooring after the
// renames of docs/moving.md, and answer as before.
//
// Each folder of programs/ has a program, as it compiles against the SDK, and a script of what a
// client does with it. The test builds every program twice, as it stands and after the renames. It
// runs both, drives them with the SDK's client in both eras, and compares the answers. What may
// differ is in differences.txt, with the section of docs/moving.md that explains it.
package port
