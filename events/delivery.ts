/**
 * What came of one attempt to deliver. `failed` is tried again on the schedule; `refused` cannot succeed with this
 * message; `gone` means that the receiver wants none any more. Errors hold no secret.
 */
export type DeliveryOutcome =
  | { readonly result: "delivered"; readonly status?: number; readonly note?: string }
  | {
      readonly result: "failed";
      readonly error: string;
      readonly status?: number;
      readonly retryAfterMs?: number;
    }
  | { readonly result: "refused"; readonly error: string; readonly status?: number }
  | { readonly result: "gone"; readonly error: string; readonly status?: number };
