# The trainer, without build tools and not as root.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY stream stream
COPY learners learners
COPY store store
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 tidemark
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONHASHSEED=0 PYTHONUNBUFFERED=1
USER tidemark
WORKDIR /home/tidemark
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["tidemark", "status", "--check"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tidemark"]
CMD ["train"]
