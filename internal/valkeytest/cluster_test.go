package valkeytest

import (
	"bytes"
	"strconv"
	"testing"
	"time"
)

func TestClusterAgreesAboutSlots(t *testing.T) {
	c := SharedCluster(t)
	if c != SharedCluster(t) {
		t.Error("two of them")
	}
	if n, p, r := len(c.Nodes()), len(c.Primaries()), len(c.Replicas(nil)); n != 6 || p != 3 || r != 3 {
		t.Fatalf("%d nodes, %d primaries, %d replicas", n, p, r)
	}
	c.WaitAgreement(t)
	node := c.Nodes()[0]
	for _, key := range []string{"", "a", "foo{bar}baz", "foo{}{bar}", "foo{{bar}}zap", "{a", "a}", "{user1000}.following", "\x00\xff"} {
		f := node.MustDo(t, "CLUSTER", "KEYSLOT", key)
		if got, _ := f.Integer(); got != int64(Slot(key)) {
			t.Errorf("slot of %q: %d here, %d at the server", key, Slot(key), got)
		}
	}
	for i, p := range c.Primaries() {
		key := c.KeyFor(t, p)
		if owner := c.Owner(t, key); owner != p {
			t.Errorf("%s is said to belong to %s, served by %s", key, p.Addr(), owner.Addr())
		}
		own := KeyIn(Slot(key), t.Name(), strconv.Itoa(i))
		wantFrame(t, p.Do(t, "SET", own, "v"), "+OK\r\n")
		replica := c.Replicas(p)[0]
		conn := replica.Dial(t)
		wantFrame(t, conn.Do(t, "READONLY"), "+OK\r\n")
		Eventually(t, "the replica to have the key", func() error {
			if f := conn.Do(t, "GET", own); string(f) != "$1\r\nv\r\n" {
				return &mismatch{string(f)}
			}
			return nil
		})
		a, b := c.TwoKeys(t, p, "x")
		if f := p.Do(t, "MGET", a, b); f.ErrorCode() != "CROSSSLOT" {
			t.Errorf("MGET of two slots' keys: %q", f)
		}
		if other := c.Primaries()[(i+1)%3]; other.Do(t, "GET", key).ErrorCode() != "MOVED" {
			t.Error("another primary does not redirect")
		}
	}
	// Replicas are listed to clients as soon as the cluster is handed out.
	for _, n := range c.Nodes() {
		slots := n.MustDo(t, "CLUSTER", "SLOTS")
		for _, other := range c.Nodes() {
			if !bytes.Contains(slots, []byte(other.ID())) {
				t.Errorf("CLUSTER SLOTS of %s does not list %s", n.Addr(), other.Addr())
			}
		}
	}
}

type mismatch struct{ got string }

func (m *mismatch) Error() string { return "got " + m.got }

func TestKeyInEverySlot(t *testing.T) {
	for slot := range uint16(Slots) {
		if got := Slot(KeyIn(slot)); got != slot {
			t.Fatalf("KeyIn(%d) is in slot %d", slot, got)
		}
		if got := Slot(KeyIn(slot, "a", "b")); got != slot {
			t.Fatalf("KeyIn(%d, a, b) is in slot %d", slot, got)
		}
	}
}

func TestClusterMigratesSlots(t *testing.T) {
	c := StartCluster(t, ClusterOptions{Replicas: 1})
	from, to := c.Primaries()[0], c.Primaries()[2]
	slot := c.SlotOf(t, from)
	keys := make([]string, 250)
	for i := range keys {
		keys[i] = KeyIn(slot, strconv.Itoa(i))
		from.MustDo(t, "SET", keys[i], strconv.Itoa(i))
	}

	c.BeginMigration(t, slot, from, to)
	c.MigrateKeys(t, slot, from, to, keys[0])
	if f := from.Do(t, "GET", keys[0]); f.ErrorCode() != "ASK" {
		t.Errorf("the moved key at the old owner: %q", f)
	}
	if f := from.Do(t, "MGET", keys[0], keys[1]); f.ErrorCode() != "TRYAGAIN" {
		t.Errorf("a moved and an unmoved key: %q", f)
	}
	wantFrame(t, from.Do(t, "GET", keys[1]), "$1\r\n1\r\n")
	conn := to.Dial(t)
	wantFrame(t, conn.Do(t, "ASKING"), "+OK\r\n")
	wantFrame(t, conn.Do(t, "GET", keys[0]), "$1\r\n0\r\n")

	c.MigrateKeys(t, slot, from, to)
	c.FinishMigration(t, slot, from, to)
	if f := from.Do(t, "GET", keys[1]); f.ErrorCode() != "MOVED" {
		t.Errorf("the old owner afterwards: %q", f)
	}
	wantFrame(t, to.Do(t, "GET", keys[249]), "$3\r\n249\r\n")
	if owner := c.SlotOwner(t, slot); owner != to {
		t.Errorf("owner %s", owner.Addr())
	}

	c.BeginMigration(t, slot, to, from)
	c.AbortMigration(t, slot, to, from)
	c.MoveSlot(t, slot, to, from)
	wantFrame(t, from.Do(t, "GET", keys[249]), "$3\r\n249\r\n")
	c.Flush(t)
	wantFrame(t, from.Do(t, "GET", keys[249]), "_\r\n")
	if got := c.CommandStats(t, from, "get"); got == 0 {
		t.Error("no GET counted")
	}
}

func TestClusterFailsOver(t *testing.T) {
	c := StartCluster(t, ClusterOptions{Replicas: 1, NodeTimeout: 2 * time.Second})
	primary := c.Primaries()[0]
	replica := c.Replicas(primary)[0]
	key := c.KeyFor(t, primary)

	c.Failover(t, replica)
	if owner := c.Owner(t, key); owner != replica {
		t.Fatalf("after the asked-for failover the owner is %s", owner.Addr())
	}
	if f := primary.Do(t, "SET", key, "v"); f.ErrorCode() != "MOVED" {
		t.Errorf("the former primary: %q", f)
	}

	replica.Kill(t)
	c.WaitFailover(t, primary)
	if owner := c.Owner(t, key); owner != primary {
		t.Fatalf("after the kill the owner is %s", owner.Addr())
	}
	replica.Start(t)
	c.WaitAgreement(t)
	if f := replica.Do(t, "SET", key, "v"); f.ErrorCode() != "MOVED" {
		t.Errorf("the restarted node: %q", f)
	}

	primary.Pause(t)
	c.WaitFailover(t, replica, primary)
	primary.Resume(t)
	c.WaitAgreement(t)
}

func TestClusterWithTLSAndPassword(t *testing.T) {
	c := StartCluster(t, ClusterOptions{Replicas: 1, TLS: true, Password: "secret"})
	from, to := c.Primaries()[0], c.Primaries()[1]
	slot := c.SlotOf(t, from)
	from.MustDo(t, "SET", KeyIn(slot), "v")
	c.MoveSlot(t, slot, from, to)
	wantFrame(t, to.Do(t, "GET", KeyIn(slot)), "$1\r\nv\r\n")
	if to.TLS() == nil {
		t.Error("no TLS configuration for clients")
	}
}
