// Package composetest adds a docker to the machines of hosttest: the program with its plugin
// compose, version 2, that keeps images, containers, networks and volumes in this process, with the
// labels that Compose gives.
//
//	box := hosttest.New(t, hosttest.Config{})
//	d := composetest.Install(box, composetest.Config{Images: []composetest.Image{{Name: "postgres:17.2"}}})
//	lock := d.Lock("postgres:17.2")
//
// It knows the commands that package compose and its stacks send, and nothing else: a command, an
// option or a key of a compose.yaml that it does not know is an error. What runs in a container is
// a [Program]; PostgreSQL, Gitea, the act runner and Pi-hole are there, as far as the stacks talk to them.
// They are stand-ins that are named so: no SQL is understood but the statements that the stacks
// send.
//
// A container without a restart policy and without a health check ends at once with status 0,
// unless [Docker.Exit] or [Docker.Crash] says otherwise; all others run. A container with a health
// check is starting when it is first looked at, and then healthy, unless [Docker.Unhealthy] says
// otherwise.
package composetest
