// Package cli has what the example programs share: signals, exit codes, flags, and how plans,
// progress and errors are shown to people and to machines.
package cli
