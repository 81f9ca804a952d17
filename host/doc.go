// Package host brings machines to a desired state over SSH and keeps them there. Nothing is
// installed on a machine: it needs a POSIX sh, coreutils, util-linux, findutils, dpkg and systemd,
// which every Debian has.
//
//	m := &host.Machine{Target: ssh.Target{
//		Address:  "192.168.1.201",
//		User:     "pi",
//		Auth:     ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: "/home/me/.ssh/id_ed25519"}}},
//		HostKeys: ssh.HostKeys{KnownHosts: []string{"/home/me/.ssh/known_hosts"}},
//		Boundary: &lab.Boundary{Name: "prod", Allow: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}},
//	}}
//	defer m.Close()
//	plan, err := m.Plan(ctx, host.State{
//		host.Package{Name: "curl"},
//		host.File{Path: "/etc/motd", Content: "hello\n"},
//	})
//	fmt.Print(plan)
//	report, err := plan.Apply(ctx, nil)
//
// Connections are those of package host/ssh. Package host/inventory reads hosts, groups and
// variables, and selects hosts by pattern; a [Fleet] plans several machines as one.
//
// # How it converges
//
// Resources are data. One script reads everything that they need to know about the machine, pure
// functions compute the differences here, and one script makes the changes and reports each of
// them as it is made. The first script then runs again to verify the result. The cost is therefore
// a few round trips, whatever the number of resources: a converged machine costs one connection
// and one exec, and no write.
//
// No state is kept between runs, with one exception: the fingerprint of the configuration that a
// unit was last started with is noted in /run/lab, which a reboot clears. A run that was cut off
// at any point is completed by the next one. While a run goes on, /var/lib/lab/unfinished lists its
// temporary files; if it was cut off, the next run removes them, whatever that is for.
//
// What is compared is what the machine does, not what it says: the mount that the kernel finds at a
// path, the units that are started at boot, and the value that a kernel parameter has after a boot.
//
// # What it never does
//
// Planning writes nothing. No secret is shown or passed as an argument. No host key is accepted that
// [ssh.HostKeys] does not allow, and nothing outside the boundary is dialled. A disk is formatted
// only if it is provably blank and a person has confirmed that very disk. Two runs never change a
// machine at the same time: a run holds the lock /run/lab.lock.
//
// # Errors
//
// A connection fails with [lab.ErrUnreachable], [lab.ErrHostKey], [lab.ErrUnauthorized] or
// [lab.ErrRefused] (outside the boundary). An invalid state is [lab.Problems], returned before
// anything is dialled. A machine that another run is changing is [lab.ErrBlocked]. A change that
// was made but does not hold is [lab.ErrDrift]. The report of [lab.Plan.Apply] lists every change.
//
// # Writing your own kind
//
// A kind of resource is any type with the four methods of [Resource]: ID, Validate, Observe and
// Plan. Observe asks questions of a [Query]; Plan reads the answers from an [Observation] and
// returns the changes as values of type [Op]. The engine knows kinds only by interfaces, so a kind
// outside this package can do all that those inside can. The optional interfaces are:
//
//   - [Related] for its [Relations]: what it provides and needs, which paths it manages, through
//     which files services read it
//   - [Ordered] for what it is told to come after; embedding [Order] gives it the field After
//   - [Set] and [Implier] for a kind that is made of other resources, or requires some
//   - [Merger] for resources that may have the same ID
//   - [Fingerprinter] for what a unit reads, so that a change restarts it
//   - [Binder] for a plan that depends on other resources of the state
//   - [Loader] for local files, [SecretHolder] for secrets to mask, and [Resolver] and [Relative]
//     for kinds that are read from documents
//
// Run the conformance suite of package host/hostsuite with your kinds in place of those of this
// package, see hostsuite.Subject.Kind. Its test foreign_test.go reimplements files and units from
// the exported interfaces alone, and is a complete example.
//
// # Testing
//
// Package host/hosttest has machines in the test's own process that speak real SSH, with fault
// injection and counters. Package host/hostsuite is the conformance suite that this package passes
// against these, against OpenSSH and against real Debian machines.
package host
