package ssh

import "time"

const (
	// maxMissed is how many intervals in a row may pass without a sign of life.
	maxMissed = 3

	// minRate is what the slowest link is supposed to deliver, in bytes a second. A request is answered
	// after everything that was sent before it has been delivered.
	minRate = 512

	// maxBacklog limits the time that is allowed for that delivery.
	maxBacklog = 5 * time.Minute
)

// keepAlive sends a keepalive request in each interval, and cuts the connection if there is no sign of
// life for too long: nothing arrives, and the other side acknowledges nothing of what is sent. On a
// slow link a request waits behind what was sent before it, perhaps in buffers of a jump or a proxy,
// which acknowledge at once; so it is given the time that these bytes need.
func keepAlive(l *link, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var (
		answered  = make(chan struct{}, 1)
		waiting   bool
		missed    int
		requested int64 // how much had been sent when the request was
		delivered int64 // how much has certainly been delivered: what was sent before the last request that was answered
		before    = l.progress()
	)
	for {
		select {
		case <-l.lost:
			return
		case <-answered:
			waiting, delivered = false, requested
		case <-tick.C:
			now := l.progress()
			if waiting && now.received == before.received && now.acknowledged == before.acknowledged {
				missed++
			} else {
				missed = 0
			}
			before = now
			var backlog time.Duration
			if now.pending == 0 {
				backlog = min(time.Duration((requested-delivered)/minRate)*time.Second, maxBacklog)
			}
			if missed >= maxMissed+int(backlog/interval) {
				l.cut()
				return
			}
			if !waiting {
				waiting, requested = true, now.sent
				go func() {
					_, _, _ = l.client.SendRequest("keepalive@openssh.com", true, nil)
					answered <- struct{}{}
				}()
			}
		}
	}
}

// progress is how many bytes of a chain have moved.
type progress struct {
	sent, received int64 // to and from the machine
	acknowledged   int64 // by the first machine of the chain, or accepted by our kernel if that does not tell
	pending        int64 // not acknowledged yet; 0 if the kernel does not tell
}

func (l *link) progress() progress {
	first, last := l.hops[0].wire, l.hops[len(l.hops)-1].wire
	p := progress{sent: last.sent.Load(), received: last.received.Load()}
	total := first.sent.Load()
	p.pending = unacknowledged(first.Conn)
	p.acknowledged = total - p.pending
	return p
}
