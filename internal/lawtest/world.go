package lawtest

import (
	"context"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// World is what a layer works on, a server, a machine or an account, with something that is wanted
// there and is not there yet.
type World struct {
	// Plan plans what is wanted. It always wants the same.
	Plan func(context.Context) (*lab.Plan, error)

	// Writes returns how often the world was changed, whoever did it. Nil leaves out law 2.
	Writes func(testing.TB) int64

	// RoundTrips returns how many round trips the plans and applies have cost, and Cost is what a
	// plan costs of a world that is as wanted. Nil: they are not counted.
	RoundTrips func() int64
	Cost       int64

	// Drift changes something of ours, so that there is something to do again in a world that is as
	// wanted. Nil leaves out that drift is found and repaired.
	Drift func(testing.TB)

	// Foreign puts things that are not ours into a world that is as wanted, and returns what
	// describes them in full. Nil leaves out law 5.
	Foreign func(testing.TB) (describe func() string)

	// Secrets are what must not be seen, and Texts returns all that they could be seen in, plans,
	// reports, events and errors aside: the logs of the server, arguments of processes. No secrets
	// leave out law 6; a nil Texts returns nothing.
	Secrets []lab.Secret
	Texts   func(testing.TB) []string

	// Within plans within a boundary that does not hold the world. Nil leaves out law 7.
	Within func(context.Context, *lab.Boundary) error

	// Again returns another world like this one, in which there is something to do: a new one, or
	// the same with something else wanted.
	Again func(testing.TB) World

	// Cuts are the ways in which an apply is cut off, beside that its context ends as its n-th
	// change begins.
	Cuts []Cut

	// RunsOn says that changes are still made when the connection is lost, as by a script on a
	// machine: what was reported as not run may have been made.
	RunsOn bool

	// Every is the distance between two cuts, where an apply takes long; 0 means 1, every place.
	Every int
}

// Cut is a way in which an apply is cut off.
type Cut struct {
	Name string // of the subtest: "LostAnswer"

	// Arm cuts the next apply off at its n-th place, 1 being the first. The function that it
	// returns is called with the apply's error, makes the world fit for the next, and reports
	// whether the apply was cut off: it was not when it has fewer places.
	Arm func(tb testing.TB, n int) (happened func(error) bool)

	// Least is how many places there must be: with fewer, the cuts have not reached the whole apply.
	Least int
}
