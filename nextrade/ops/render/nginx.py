"""nginx in front of the web processes, and logrotate for the log that they write.

Probes are not limited. What a client says of its address is not passed on: X-Forwarded-For is what nginx saw, so that
NEXTRADE_TRUSTED_PROXIES=1 holds. A stream is passed on as it comes. `/metrics` is nobody's from outside.
"""

from nextrade.ops.render.site import HEADER, Files, Site

SOURCE = "nextrade/ops/render/nginx.py"
NGINX = """\
worker_processes auto;
events { worker_connections 4096; }

http {
    server_tokens off;
    client_max_body_size 1m;
    client_header_timeout 10s;
    client_body_timeout 10s;
    keepalive_timeout 30s;
    proxy_read_timeout 60s;
    log_format nextrade '$remote_addr - [$time_iso8601] "$request_method $uri" $status $body_bytes_sent '
                        '$request_time $upstream_response_time $sent_http_x_request_id';
    access_log @LOGS@/nginx.log nextrade;
    error_log @LOGS@/nginx-error.log warn;
    limit_req_zone $binary_remote_addr zone=people:10m rate=20r/s;
    limit_conn_zone $binary_remote_addr zone=connections:10m;
    limit_req_status 429;
    limit_conn_status 429;

    upstream nextrade {
        server @WEB@ max_fails=3 fail_timeout=5s;
        keepalive 32;
    }

    server {
        listen @HTTP@;
        server_name @HOST@;
        location ~ ^/health(/live|/ready)?$ { include @HERE@/proxy.conf; proxy_pass http://nextrade; }
        location / { return 308 https://$host$request_uri; }
    }

    server {
        listen @HTTPS@ ssl http2;
        server_name @HOST@;
        ssl_certificate @TLS@/fullchain.pem;
        ssl_certificate_key @TLS@/privkey.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:nextrade:10m;
        ssl_session_tickets off;

        location ~ ^/(health(/live|/ready)?|ht/.*)$ {
            include @HERE@/proxy.conf;
            proxy_pass http://nextrade;
        }
        location = /metrics { return 404; }
        location ~ /stream/ {
            limit_conn connections 20;
            limit_req zone=people burst=40 nodelay;
            include @HERE@/proxy.conf;
            proxy_pass http://nextrade;
            proxy_buffering off;
            proxy_cache off;
            gzip off;
            proxy_read_timeout 120s;
        }
        location / {
            limit_conn connections 40;
            limit_req zone=people burst=60 nodelay;
            include @HERE@/proxy.conf;
            proxy_pass http://nextrade;
        }
    }
}
"""
PROXY = """\
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host "";
proxy_set_header Forwarded "";
proxy_connect_timeout 5s;
# a request that changes something is not sent twice
proxy_next_upstream error timeout;
"""
LOGROTATE = """\
# For LOG_ROTATION=none: the processes open the file anew by themselves, so nothing is signalled and nothing is copied.
@LOGS@/nextrade.log {
    daily
    rotate 90
    dateext
    dateformat .%Y-%m-%d
    dateyesterday
    missingok
    notifempty
    nocreate
    su @USER@ @USER@
}
@LOGS@/nginx.log @LOGS@/nginx-error.log {
    daily
    rotate 90
    dateext
    compress
    missingok
    notifempty
    su @USER@ @USER@
    postrotate
        nginx -s reopen 2>/dev/null || true
    endscript
}
# compliance.log is not rotated: it is the trail's projection, and `audit rebuild_log` makes all of it anew.
"""


def files(site: Site) -> Files:
    filled = {"nginx/nginx.conf": NGINX, "nginx/proxy.conf": PROXY, "logrotate/nextrade": LOGROTATE}
    return {path: HEADER.format(source=SOURCE) + _filled(text, site) for path, text in filled.items()}


def _filled(text: str, site: Site) -> str:
    values = {
        "LOGS": site.logs,
        "WEB": site.web,
        "HOST": site.host,
        "TLS": site.tls,
        "HERE": f"{site.home}/deploy/nginx",
        "USER": site.user,
        "HTTP": str(site.http_port),
        "HTTPS": str(site.https_port),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
