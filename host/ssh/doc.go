// Package ssh reaches machines over SSH: it logs in, runs scripts, transfers files and forwards
// connections. It knows nothing about the desired state of a machine; that is package host.
//
//	c, err := ssh.Dial(ctx, ssh.Target{
//		Address:  "192.168.1.201",
//		User:     "pi",
//		Auth:     ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: "/home/me/.ssh/id_ed25519"}}},
//		HostKeys: ssh.HostKeys{KnownHosts: []string{"/home/me/.ssh/known_hosts"}},
//		Boundary: &lab.Boundary{Name: "prod", Allow: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}},
//	})
//	defer c.Close()
//	r, err := c.Run(ctx, ssh.Command{Script: "uptime"})
//
// A [Conn] reconnects if its connection was lost while nothing was in progress. The output of a
// command is streamed, its exit status is certain, and when its context ends, the command is
// stopped on the machine too. Transfers are atomic, verified, and resumed where they were cut off.
// Nothing is installed on the machine: it needs sshd, a POSIX sh and coreutils.
//
// # What it never does
//
// It accepts no host key that it was not given. It does not dial outside the boundary. It reads no
// ssh_config and uses no agent unless the caller names them. It puts no secret into an argument:
// scripts and the password of sudo are sent over standard input.
//
// # Errors
//
// A connection fails with [lab.ErrUnreachable], [lab.ErrHostKey], [lab.ErrUnauthorized],
// [lab.ErrTimeout] or [lab.ErrRefused] (outside the boundary). [lab.SafeToRetry] reports whether a
// command certainly did not start.
package ssh
