package dnstest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// Server is a name server of a [Network].
type Server struct {
	n        *Network
	packets  net.PacketConn
	listener net.Listener

	mu      sync.Mutex
	zone    zone
	running func() bool
	down    bool
	silent  []string                // protocols
	says    map[string][]netip.Addr // what else it says, by name
}

// Down makes it answer nothing, as when nobody listens; with false again.
func (s *Server) Down(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = on
}

// Silent makes it answer nothing over these protocols, "udp" and "tcp"; none lets it answer over both.
func (s *Server) Silent(protocols ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = protocols
}

// Say makes it say addresses for a name, whatever it knows.
func (s *Server) Say(name string, addresses ...netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says[name] = addresses
}

// listens reports whether somebody answers over the protocol.
func (s *Server) listens(protocol string) bool {
	s.mu.Lock()
	running, off := s.running, s.down || slices.Contains(s.silent, protocol)
	s.mu.Unlock()
	return !off && running != nil && running()
}

// answer answers a question over a protocol; nil means that nothing is answered.
func (s *Server) answer(protocol, name string, kind dnsmessage.Type) *reply {
	if !s.listens(protocol) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if said, ok := s.says[name]; ok && (kind == dnsmessage.TypeA || kind == dnsmessage.TypeAAAA) {
		said = slices.DeleteFunc(slices.Clone(said), func(a netip.Addr) bool { return a.Is4() != (kind == dnsmessage.TypeA) })
		return &reply{addrs: said}
	}
	return s.zone.answer(name, kind, s.n.upstream)
}

// serve answers on loopback, until the listeners are closed.
func (s *Server) serve() {
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, from, err := s.packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			if out := s.message("udp", buffer[:n]); out != nil {
				_, _ = s.packets.WriteTo(out, from) // who asks waits in vain, as on any network
			}
		}
	}()
	go func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			go s.stream(conn)
		}
	}()
}

// stream answers over TCP.
func (s *Server) stream(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		in := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, in); err != nil {
			return
		}
		out := s.message("tcp", in)
		if out == nil {
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// message answers a message; nil means that nothing is answered.
func (s *Server) message(protocol string, in []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(in) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	r := s.answer(protocol, q.Name.String()[:len(q.Name.String())-1], q.Type)
	if r == nil {
		return nil
	}
	m.Response, m.RecursionAvailable, m.RCode = true, true, r.code
	header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
	for _, a := range r.addrs {
		if a.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: a.As4()}})
		} else {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	for _, name := range r.names {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header,
			Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(name + ".")}})
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}
