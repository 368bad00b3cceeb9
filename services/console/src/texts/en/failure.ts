export const failure = {
  unreachable: "The API does not answer",
  requestId: "Request id",
};
