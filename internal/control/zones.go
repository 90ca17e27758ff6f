package control

import (
	"context"
	"time"
)

// zone is a node's availability zone and when it was asked.
type zone struct {
	name string
	at   time.Time
}

// zonesOf returns the availability zones of nodes, as far as they tell. What has
// been asked not long ago is not asked again, and a node that does not answer within
// the timeout has no zone for now.
func (c *Client) zonesOf(ctx context.Context, addrs []string) map[string]string {
	found := make(map[string]string, len(addrs))
	var unknown []string
	c.mu.Lock()
	for _, addr := range addrs {
		if z, ok := c.zones[addr]; ok && time.Since(z.at) < zoneAge {
			found[addr] = z.name
		} else {
			unknown = append(unknown, addr)
		}
	}
	c.mu.Unlock()
	// An error leaves zones unknown, and nothing else depends on them.
	_ = survey(ctx, c, unknown, func() bool { return true }, askZone,
		func(a answer[string]) (time.Duration, bool) {
			// A failure is remembered for a while as well, so that a dead node does not
			// hold up every refresh.
			asked := zone{name: a.v, at: time.Now()}
			if a.err != nil {
				asked.at = asked.at.Add(zoneRetry - zoneAge)
			}
			c.mu.Lock()
			c.zones[a.addr] = asked
			c.mu.Unlock()
			found[a.addr] = a.v
			return 0, false
		})
	return found
}

// askZone asks one node for its own availability zone: INFO server on Valkey 8.0,
// HELLO since 8.1.
func askZone(ctx context.Context, p *peer) (string, error) {
	replies, err := p.ask(ctx, []string{"HELLO", "3"}, []string{"INFO", "server"})
	if err != nil {
		return "", err
	}
	if fields, err := replies[0].AsMap(); err == nil {
		if name := zoneIn(fields); name != "" {
			return name, nil
		}
	}
	text, err := replies[1].ToString()
	if err != nil {
		return "", err
	}
	return parseInfo(text)["availability_zone"], nil
}
