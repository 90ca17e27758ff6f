package embedded
import ("testing";"time";"fmt")
func TestProbe(t *testing.T) {
	for _, cmd := range [][]string{
		{"SETRANGE","k","9223372036854775807","x"},
		{"SETRANGE","k","9223372036854775000","x"},
		{"SETBIT","k","9223372036854775807","1"},
		{"SRANDMEMBER","s","-9223372036854775808"},
		{"LPOP","l","-1"},
		{"GETRANGE","k","-9223372036854775808","9223372036854775807"},
		{"LINDEX","l","-9223372036854775808"},
		{"LTRIM","l","9223372036854775807","-9223372036854775808"},
		{"BITCOUNT","k","9223372036854775807","-9223372036854775808"},
		{"ZRANGE","z","9223372036854775807","-9223372036854775808"},
		{"SPOP","s","9223372036854775807"},
		{"HRANDFIELD","h","-9223372036854775808"},
		{"ZRANDMEMBER","z","-9223372036854775808"},
		{"XRANGE","x","-","+","COUNT","-1"},
		{"LMPOP","9223372036854775807","l","LEFT"},
		{"ZUNIONSTORE","d","9223372036854775807","a"},
		{"ZINTER","-1","a"},
		{"XREAD","STREAMS"},
		{"XREADGROUP","GROUP","g"},
		{"GEOADD","g","1"},
		{"GEOSEARCH","g"},
		{"OBJECT"},
		{"XADD","x","*"},
		{"XTRIM","x"},
		{"ZADD","z","NX"},
		{"SORT","l"},
		{"COPY","a"},
		{"HELLO"},
		{"DUMP","k"},
		{"RESTORE","k","0","x"},
		{"PFADD"},
		{"SINTERCARD","9","a"},
		{"EVAL","return 1","-1"},
		{"EVAL","return {err=1}","0"},
		{"EVAL","return redis.call()","0"},
		{"LPOS","l","x","RANK","-9223372036854775808"},
		{"EXPIRE","k","9223372036854775807"},
		{"SCAN","9223372036854775807"},{"SCAN","0","COUNT","-1"},{"SCAN", "0", "MATCH", "[["},
		{"KEYS","[a-"},
		{"PSUBSCRIBE","["},
	} {
		func() {
			s := newStore(t)
			c := dial(t, s)
			c.do("SET","k","v"); c.do("SADD","s","a"); c.do("LPUSH","l","a","b"); c.do("HSET","h","a","1"); c.do("ZADD","z","1","a"); c.do("XADD","x","1-1","a","b")
			c.send(cmd...)
			done := make(chan string, 1)
			go func() { b := make([]byte, 200); c.conn.SetReadDeadline(time.Now().Add(2*time.Second)); n, err := c.conn.Read(b); done <- fmt.Sprintf("%q %v", b[:min(n,60)], err) }()
			fmt.Println(cmd, <-done)
		}()
	}
}
