# The gateway as an image. Secrets come at run time, from the environment or from files; none is in here.
#
#   docker build -t ai-gateway .
#   docker run --rm -p 127.0.0.1:8000:8000 -e HTTPS_ONLY=0 ai-gateway

FROM python:3.11-slim AS builder

RUN python -m venv /opt/venv
COPY requirements.txt /opt/requirements.txt
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /opt/requirements.txt


# The same base: the virtual environment refers to its interpreter.
FROM python:3.11-slim

# A fixed number, so that the owner of a mounted volume can be set from outside.
RUN groupadd --gid 10001 gateway \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
 && install --directory --owner=gateway --group=gateway --mode=0700 /var/lib/gateway

COPY --from=builder /opt/venv /opt/venv

# Owned by root, so that the process cannot change its own code; so it is compiled here. Readable whatever the umask was.
WORKDIR /app
COPY . .
RUN /opt/venv/bin/python -m compileall -q . && chmod -R a+rX .

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/gateway \
    HOST=0.0.0.0 \
    PORT=8000

USER 10001:10001
VOLUME /var/lib/gateway
EXPOSE 8000

# Asks under a name that the server answers to: the first of ALLOWED_HOSTS, or localhost when there is none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; name = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip(' .*') or 'localhost'; u.urlopen(u.Request('http://127.0.0.1:' + os.environ['PORT'] + '/status', headers={'Host': name}), timeout=3)"]

# The exec form: the server itself is process 1 and gets the signal to stop.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--setup"]
