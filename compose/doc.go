// Package compose deploys compose stacks to a machine and keeps them as they were written.
//
// A stack is a directory with a compose.yaml (compose-spec.io), as its author would run it by hand,
// with its override file, .env and what it includes. [Load] reads it here, on the control side: it
// is interpolated from variables that are passed and the directory's and nothing more, validated,
// its images pinned by a lock file, and rendered to one canonical file. What endangers data or
// secrets, or cannot be kept, is refused by name, with what lets it through or another way; what
// docker compose takes with a warning is one of [Stack].Warnings. The [Stack] is a [host.Set]; a machine's plan says what of it
// will be created, recreated and because of what, started, stopped and removed:
//
//	stack, err := compose.Load(ctx, compose.Source{Dir: "gitea"}) // with the lock beside it
//	plan, err := machine.Plan(ctx, host.State{stack})
//	fmt.Print(plan)
//	report, err := plan.Apply(ctx, nil)
//
// Nothing is remembered: containers carry, as labels, hashes of what they were made from. Any
// number of stacks is read by one question in the one exec that observes the machine. On the
// machine only docker and its plugin docker compose, version 2.20 or newer, are run.
//
// # Applying
//
// Images are pulled by digest, before any container is touched; a registry that wants a login is
// asked as root of the machine is logged in there. Services are made one after the other, each
// after those it depends on, and each must get healthy before the next is touched. Without a health
// check, a service is healthy that has run for 5 s on end, or for 30 s when it was found to have
// ended; one in a restart loop is not. All are looked at again after the last one, and what the
// engine goes on starting again, however slowly, is a change of the next plan. One that is not meant
// to run on may end well: its restart policy is no or on-failure, or it has none, and neither ports
// nor a health check. One that others depend on by
// service_completed_successfully must. What does not is named, with the last lines of its log, and
// the last stack that was healthy, kept in .prev beside the compose.yaml, is put back; not when
// [Stack.Format] changed.
//
// What only one container can have, a published port, an address in a network or a name, moves
// between services: the service that has it stops, or its container gets another name, before it is
// taken. What a container has that is not of the stack is refused by name, and so is a port that
// another stack of the state wants, or on which anything else of the machine listens. A service with
// network_mode: host says with expose which ports it takes.
//
// Files that the stack brought and has no more are removed from its directory; others are left
// alone. A container whose network is gone or another, or that shares a namespace with one that was
// started again, is made to work again.
//
// # What it never does
//
// It never removes a volume unless [Absent] asks for it and a person confirms each, never touches
// what is not of the stack's own project, never looks up a tag unless [Resolve] is called, never
// builds, and never lets a secret of the stack into an environment, a label or an argument. What
// only looks like a secret there is refused too, by its name or form, and let through by
// [Source].PlainEnvironment; what looks like none cannot be known.
//
// # Errors
//
// A compose.yaml that is wrong is a [lab.Problems]. [lab.ErrRefused]: a project of another
// directory has this name, an old docker compose, a guard of the stack's data. [lab.ErrConflict]: a
// network, a volume, or what only one container can have, is another's. [lab.ErrNotFound]: an
// external network or volume, a container whose network is shared, or an imported image, is not
// there. [lab.ErrBlocked]: the engine does not answer.
//
// # Tests
//
// Package composetest adds a docker to the machines of hosttest.
package compose
