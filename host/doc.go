// Package host brings a machine to a state and keeps it there, over SSH, with nothing installed on it: it needs a POSIX sh, coreutils,
// util-linux, findutils, dpkg and systemd, which every Debian has.
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
// # How it converges
//
// Resources are data. What all of them must know is asked by one script, the differences are computed here, by pure functions, and what must
// be done goes back as one script that tells of each change as it is made; a last script looks at the machine again. So the cost is that of round
// trips, and it does not grow with the number of resources: a machine that is as wanted costs one connection and one exec, and no write.
//
// Nothing is remembered between runs, on either side, but one thing: what a unit was last started with is noted in /run/lab, which a reboot
// clears, as it clears the unit. A run that is cut off anywhere is continued by the next.
//
// # What it never does
//
// It writes nothing while it plans. It shows no secret, and puts none into an argument. It accepts no host key that it was not told of. It does
// not dial outside the boundary. It formats no disk that is not blank beyond doubt, and none without a person's word for that very disk. Two
// runs do not change a machine at the same time: one holds /run/lab.lock.
//
// # Errors
//
// A connection fails with [lab.ErrUnreachable], [lab.ErrHostKey], [lab.ErrUnauthorized] or [lab.ErrRefused] (outside the boundary). A state that
// is wrong in itself is [lab.Problems], before anything is dialled. A machine that somebody else is changing is [lab.ErrBlocked]. A change that was
// made and does not last is [lab.ErrDrift]. The report of [lab.Plan.Apply] tells of each change.
//
// # Testing
//
// Package hosttest has machines in the process of the test that speak real SSH, with faults and counters, and the conformance suite that this
// package is held to.
package host
