package sshd

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A session is one "session" channel.
type session struct {
	c    *conn
	ch   ssh.Channel
	user string
	env  []string
	proc *kernel.Process
	ends sessionEnds
	done chan struct{}
}

func (s *session) run(reqs <-chan *ssh.Request) {
	defer s.ch.Close()
	m := s.c.s
	for r := range reqs {
		ok := false
		switch r.Type {
		case "env":
			var e struct{ Name, Value string }
			// AcceptEnv LANG LC_* is Debian's default.
			if ssh.Unmarshal(r.Payload, &e) == nil && (e.Name == "LANG" || strings.HasPrefix(e.Name, "LC_")) {
				s.env = append(s.env, e.Name+"="+e.Value)
				ok = true
			}
		case "exec", "shell":
			if s.proc != nil {
				break
			}
			var e struct{ Command string }
			if r.Type == "exec" && ssh.Unmarshal(r.Payload, &e) != nil {
				break
			}
			f := execFaults{cut: -1}
			if r.Type == "exec" {
				f = m.Faults.exec(m.count.Execs.Add(1))
				if f.fail {
					break
				}
			}
			if err := s.start(e.Command, r.Type == "shell", f); err != nil {
				break
			}
			ok = true
		case "signal":
			var e struct{ Name string }
			if ssh.Unmarshal(r.Payload, &e) == nil && s.proc != nil {
				if n := kernel.SignalNumber(e.Name); n > 0 {
					// sshd signals the process group of the session's child.
					_, pgid, _ := s.proc.Family()
					for _, p := range m.k.ProcessGroup(pgid) {
						p.Signal(n)
					}
					ok = true
				}
			}
		}
		if r.WantReply {
			r.Reply(ok, nil)
			s.c.answered.Store(true)
		}
		if ok && s.proc != nil && s.done == nil {
			s.begin()
		}
	}
	if s.done != nil {
		<-s.done
	}
}

// start prepares the login user's shell; begin lets it run once the request is answered.
func (s *session) start(command string, login bool, f execFaults) error {
	m := s.c.s
	u := libc.UserByName(m.k, s.user)
	if u == nil || m.k.Off() {
		return syscall.ENOENT
	}
	p := m.k.NewProcess(nil)
	libc.BecomeUser(p, u)
	home := u.Home
	if st, err := m.k.FS().Stat(u.Home); err != nil || !st.IsDir() {
		home = "/"
	}
	p.Chdir(home)
	la, ra := s.c.LocalAddr().String(), s.c.RemoteAddr().String()
	lh, lp, _ := net.SplitHostPort(la)
	rh, rp, _ := net.SplitHostPort(ra)
	p.SetEnv(append([]string{
		"HOME=" + u.Home, "LOGNAME=" + u.Name, "MAIL=/var/mail/" + u.Name,
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/games", "PWD=" + home, "SHELL=" + u.Shell, "USER=" + u.Name,
		"SSH_CLIENT=" + rh + " " + rp + " " + lp, "SSH_CONNECTION=" + rh + " " + rp + " " + lh + " " + lp,
	}, s.env...))
	args := []string{u.Shell[strings.LastIndexByte(u.Shell, '/')+1:], "-c", command}
	if login {
		args = []string{"-" + args[0]}
	}
	p.SetArgs(args)
	s.proc = p
	in, out, errs := kernel.NewPipe(kernel.PipeSize), kernel.NewPipe(kernel.PipeSize), kernel.NewPipe(kernel.PipeSize)
	inR, inW := in.Descriptions()
	outR, outW := out.Descriptions()
	errR, errW := errs.Descriptions()
	p.Give(inR, outW, errW)
	s.ends = sessionEnds{inW, outR, errR, out, errs, f}
	return nil
}

type sessionEnds struct {
	in, out, err      *kernel.File
	outPipe, errsPipe *kernel.Pipe
	f                 execFaults
}

func (s *session) begin() {
	m := s.c.s
	s.done = make(chan struct{})
	e := s.ends
	p := s.proc
	var pumps sync.WaitGroup
	go func() { // ends when the channel does
		buf := make([]byte, 32<<10)
		for {
			n, err := s.ch.Read(buf)
			if n > 0 {
				if _, werr := e.in.Write(nil, buf[:n]); werr != nil {
					io.Copy(io.Discard, s.ch)
					break
				}
			}
			if err != nil {
				break
			}
		}
		e.in.Release()
	}()
	boot := m.k.BootID()
	m.k.Watch(e.outPipe, e.errsPipe)
	pumps.Go(func() { s.pump(e.out, s.ch, e.f, true) })
	pumps.Go(func() { s.pump(e.err, s.ch.Stderr(), execFaults{cut: -1, lost: e.f.lost}, false) })
	shell := p.Args[0]
	p.Go(func(p *kernel.Process) int {
		u := libc.UserByName(m.k, s.user)
		code, err := p.Exec(u.Shell, p.Args, p.Env)
		if err != nil {
			p.Warnf("%s: %s\n", shell, kernel.Strerror(err))
			return 127
		}
		return code
	})
	m.k.Go(func() {
		defer close(s.done)
		<-p.Done
		pumps.Wait()
		m.k.Unwatch(e.outPipe, e.errsPipe)
		if m.k.Off() || m.k.BootID() != boot {
			return
		}
		if e.f.lost {
			s.c.kill()
			return
		}
		s.c.answered.Store(true)
		if sig := p.Status.Signal; sig != 0 {
			s.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
				Signal string
				Core   bool
				Error  string
				Lang   string
			}{kernel.SignalNames[sig], false, "", ""}))
		} else {
			s.ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(p.Status.Code)))
		}
		s.ch.CloseWrite()
		s.ch.Close()
	})
}

// pump sends what the processes write until all of them have closed it.
func (s *session) pump(d *kernel.File, w io.Writer, f execFaults, stdout bool) {
	defer d.Release()
	m := s.c.s
	buf := make([]byte, 32<<10)
	var sent int64
	var all []byte
	for {
		n, err := d.Read(nil, buf)
		if n > 0 && !f.lost {
			b := buf[:n]
			cut := false
			if stdout && f.cut >= 0 && sent+int64(n) >= f.cut {
				b, cut = b[:f.cut-sent], true
			}
			if stdout && (all != nil || m.Faults.watching()) {
				all = append(all, b...)
				if m.Faults.cutNow(all) {
					s.c.kill()
					return
				}
			}
			if _, werr := w.Write(b); werr != nil {
				return // the client is gone: the next write of a process is its SIGPIPE
			}
			s.c.answered.Store(true)
			sent += int64(n)
			if cut {
				s.c.Close() // what was sent arrives
				return
			}
		}
		if err != nil {
			return
		}
	}
}
