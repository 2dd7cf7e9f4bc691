# One image: the action, and a job image with gcs-ci-lock in it for GitLab and others.
# Builds without BuildKit. The base is a tag and not a digest: a digest would keep its holes.
# hadolint global ignore=DL3008
# (DL3008: Debian keeps one version of each package in a release; pinning one breaks the build as
# soon as it is mended.)
FROM debian:trixie-slim AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
# The venv points to Debian's Python, which has the same path in both stages.
RUN python3 -m venv /opt/gcs-ci-lock \
    && python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && /opt/gcs-ci-lock/bin/pip install --no-cache-dir --no-compile --require-hashes \
        -r requirements/runtime.txt
COPY pyproject.toml LICENSE ./
COPY gcs_ci_lock gcs_ci_lock
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /wheels . \
    && /opt/gcs-ci-lock/bin/pip install --no-cache-dir --no-compile --no-deps /wheels/*.whl \
    && /opt/gcs-ci-lock/bin/pip uninstall -y pip \
    && sed -i '1s/$/ -I/' /opt/gcs-ci-lock/bin/gcs-ci-lock \
    && rm -rf /opt/gcs-ci-lock/bin/pip* /opt/gcs-ci-lock/bin/[Aa]ctivate* \
    && python3 -m compileall -q -j 0 /opt/gcs-ci-lock/lib

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="gcs-ci-lock" \
      org.opencontainers.image.description="Serialise deployments in CI with a lock kept in Google Cloud Storage" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="0.1.0" \
      gcs-ci-lock.image="1"
# Bytecode of the standard library is part of what makes a start quick; it is kept.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3-minimal \
        libpython3-stdlib \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*
COPY --from=build /opt/gcs-ci-lock /opt/gcs-ci-lock
COPY entrypoint /entrypoint
RUN ln -s /entrypoint /entrypoint-post \
    && ln -s /opt/gcs-ci-lock/bin/gcs-ci-lock /usr/local/bin/gcs-ci-lock
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# No ENTRYPOINT: GitLab starts the image's shell. Root: GitHub requires it of an action.
CMD ["bash"]
