package httpapi

import (
	"net/http"
	"slices"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"
)

// preflightAge is how long browsers may remember what is allowed, in seconds: two hours, the
// most that they do.
const preflightAge = 7200

// allowOrigins lets pages of these origins call from browsers, and those of no others: a browser
// sends an Origin with every POST, and whoever visits a page lends it the way into a network that the page itself
// does not reach. Other callers send none.
func allowOrigins(origins []string, next http.Handler) http.Handler {
	all := slices.Contains(origins, "*")
	refusing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && !all && !slices.Contains(origins, origin) {
			refuse(w, r, http.StatusForbidden, "pages of the origin "+quoted(origin)+" may not call this server: its http-allow-origin says which may")
			return
		}
		next.ServeHTTP(w, r)
	})
	if len(origins) == 0 {
		return refusing
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodPost},
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization", "X-Request-Id", "Traceparent", "Tracestate"),
		ExposedHeaders: append(connectcors.ExposedHeaders(), "X-Request-Id"),
		MaxAge:         preflightAge,
	}).Handler(refusing)
}
