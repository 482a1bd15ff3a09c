# SPN in a container:
#   docker build -t spn .
#   docker run --rm -v "$PWD:/work" spn predict street.jpg --out out        (GPU: docker run --gpus all …)
# PyTorch comes as the package index has it: on x86 with CUDA, several GB. For a small CPU image, name PyTorch's
# index of CPU builds (their installation page has its address):
#   docker build --build-arg TORCH_INDEX=ADDRESS -t spn:cpu .
FROM python:3.12-slim

ARG TORCH_INDEX
ARG EXTRAS
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# First what changes seldom, so that it is not fetched again for every change of the code.
RUN python -m pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision

WORKDIR /opt/spn
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip install ".${EXTRAS:+[$EXTRAS]}" && rm -r /opt/spn/src && spn --help > /dev/null

# Not root; with docker run --user "$(id -u):$(id -g)" results belong to you.
RUN useradd --create-home --uid 1000 spn
USER spn
WORKDIR /work
ENTRYPOINT ["spn"]
CMD ["--help"]
