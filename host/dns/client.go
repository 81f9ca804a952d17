package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// answer is what a name server said.
type answer struct {
	code  dnsmessage.RCode
	addrs []netip.Addr // of A and AAAA records, whatever name they are of: those of an alias are of its target
	names []string     // of PTR records, without the final dot
	count int          // records of the type that was asked for
}

const (
	patienceUDP = 2 * time.Second // for one datagram
	triesUDP    = 3               // one is lost now and then
	patienceTCP = 5 * time.Second
	typeHTTPS   = dnsmessage.Type(65) // RFC 9460
)

// ask asks a name server, over udp or tcp.
func ask(
	ctx context.Context, d lab.Dialer, network, server, name string, kind dnsmessage.Type,
) (answer, error) {
	fqdn, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return answer{}, fmt.Errorf("%w: %s is not a name: %w", lab.ErrInvalid, lab.Printable(name), err)
	}
	question := dnsmessage.Question{Name: fqdn, Type: kind, Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(rand.UintN(1 << 16)), RecursionDesired: true},
		Questions: []dnsmessage.Question{question},
	}
	packet, err := m.Pack()
	if err != nil {
		return answer{}, err
	}
	exchange, tries := overTCP, 1
	if network == "udp" {
		exchange, tries = overUDP, triesUDP
	}
	for range tries {
		var got dnsmessage.Message
		if got, err = exchange(ctx, d, server, packet, m); err == nil {
			return read(got, kind), nil
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || ctx.Err() != nil {
			break
		}
	}
	return answer{}, err
}

// dial connects, for as long as patience lasts.
func dial(ctx context.Context, d lab.Dialer, network, server string, patience time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline() // it has one
	return conn, conn.SetDeadline(deadline)
}

func overUDP(
	ctx context.Context, d lab.Dialer, server string, packet []byte, sent dnsmessage.Message,
) (got dnsmessage.Message, err error) {
	conn, err := dial(ctx, d, "udp", server, patienceUDP)
	if err != nil {
		return got, err
	}
	defer conn.Close() // nothing is lost that was not read
	if _, err := conn.Write(packet); err != nil {
		return got, err
	}
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return got, err
		}
		// what does not belong to the question is a late answer to another, or forged
		if got.Unpack(buffer[:n]) == nil && belongs(got, sent) {
			return got, nil
		}
	}
}

func overTCP(
	ctx context.Context, d lab.Dialer, server string, packet []byte, sent dnsmessage.Message,
) (got dnsmessage.Message, err error) {
	conn, err := dial(ctx, d, "tcp", server, patienceTCP)
	if err != nil {
		return got, err
	}
	defer conn.Close() // nothing is lost that was not read
	if _, err := conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(packet)))); err != nil {
		return got, err
	}
	if _, err := conn.Write(packet); err != nil {
		return got, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return got, err
	}
	buffer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buffer); err != nil {
		return got, err
	}
	if err := got.Unpack(buffer); err != nil {
		return got, err
	}
	if !belongs(got, sent) {
		return got, fmt.Errorf("%w: the answer is not to the question", lab.ErrConflict)
	}
	return got, nil
}

func belongs(got, sent dnsmessage.Message) bool {
	return got.Response && got.ID == sent.ID && len(got.Questions) == 1 && got.Questions[0] == sent.Questions[0]
}

// read returns what a message answers.
func read(m dnsmessage.Message, kind dnsmessage.Type) answer {
	a := answer{code: m.RCode}
	for _, r := range m.Answers {
		if r.Header.Type == kind {
			a.count++
		}
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			a.addrs = append(a.addrs, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			a.addrs = append(a.addrs, netip.AddrFrom16(body.AAAA))
		case *dnsmessage.PTRResource:
			name := body.PTR.String()
			a.names = append(a.names, name[:len(name)-1])
		}
	}
	return a
}

// reverse returns the name under which an address is called by its name (RFC 1035, 3.5; RFC 3596, 2.5).
func reverse(a netip.Addr) string {
	if a.Is4() {
		b := a.As4()
		return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0])
	}
	out := []byte{}
	b := a.As16()
	for i := len(b) - 1; i >= 0; i-- {
		out = fmt.Appendf(out, "%x.%x.", b[i]&0xf, b[i]>>4)
	}
	return string(out) + "ip6.arpa"
}
